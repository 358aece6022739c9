// Warping row-major maps of many channels, a vector of channels at a time.
//
// The planes of a vector's channels are brought to [y][x][lane] row by row, a little
// ahead of where the flow leads, into a ring of rows that stays in the cache; a pixel of
// all these channels is then one load, and one addition in the backward pass. A result
// goes back to planes as soon as no later row adds to it.
#include "warp_lanes.hpp"

#include <algorithm>

#include "caffe/backend/scratch.hpp"
#include "caffe/util/instruction_set.hpp"
#include "caffe/util/parallel_for.hpp"
#include "warp_samples.hpp"

namespace caffe {

namespace {

template <typename Dtype>
const WarpKernels<Dtype>& warp_kernels() {
  static const WarpKernels<Dtype> table = [] {
#if defined(__x86_64__)
    switch (instruction_set()) {
      case InstructionSet::kAvx512:
        return warp_kernels_avx512<Dtype>();
      case InstructionSet::kAvx2:
        return warp_kernels_avx2<Dtype>();
      case InstructionSet::kPlain:
        break;
    }
#endif
    return warp_kernels_base<Dtype>();
  }();
  return table;
}

/// The channels of one vector of one image.
struct Group {
  int n, first, used;
};

/// What the passes share: groups of channels, and rows of their planes.
template <typename Dtype>
class Maps {
 public:
  Maps(const WarpShape& shape, int num, int channels)
      : kernels(warp_kernels<Dtype>()),
        num_(num),
        channels_(channels),
        in_plane_(std::int64_t{shape.height} * shape.width),
        out_plane_(std::int64_t{shape.out_height} * shape.out_width) {}

  int groups() const { return (channels_ + kernels.lanes - 1) / kernels.lanes; }
  int items() const { return num_ * groups(); }
  Group group(int item) const {
    const int first = item % groups() * kernels.lanes;
    return {item / groups(), first, std::min(kernels.lanes, channels_ - first)};
  }
  template <typename Value>
  PlaneRows<Value> image_row(Value* data, const Group& g, std::int64_t begin) const {
    return {data + plane(g) * in_plane_ + begin, in_plane_, g.used};
  }
  template <typename Value>
  PlaneRows<Value> top_row(Value* data, const Group& g, std::int64_t begin) const {
    return {data + plane(g) * out_plane_ + begin, out_plane_, g.used};
  }

  const WarpKernels<Dtype>& kernels;

 private:
  std::int64_t plane(const Group& g) const {
    return std::int64_t{g.n} * channels_ + g.first;
  }
  int num_, channels_;
  std::int64_t in_plane_, out_plane_;
};

template <typename Dtype>
Dtype* thread_memory(std::int64_t count) {
  static thread_local HostBuffer buffer;
  return static_cast<Dtype*>(
      buffer.Need(static_cast<std::size_t>(count) * sizeof(Dtype)));
}

/// A group's image in a ring, filled as far as it is needed.
template <typename Dtype>
class ImageRing {
 public:
  ImageRing(const WarpShape& shape, const Maps<Dtype>& maps,
            const WarpSamples<Dtype>& samples, const Dtype* image, Dtype* memory)
      : shape_(shape), maps_(maps), samples_(samples), image_(image), memory_(memory) {}

  void Start(const Group& group, int first_row) {
    group_ = group;
    filled_ = first_row;
  }
  void FillTo(int end) {
    for (; filled_ < end; ++filled_) {
      maps_.kernels.to_lanes(
          maps_.image_row(image_, group_, std::int64_t{filled_} * shape_.width),
          shape_.width, Row(filled_));
    }
  }
  const Dtype* data() const { return memory_; }
  /// The row that is filled next, in the first of the group's planes.
  const Dtype* next() const {
    return maps_.image_row(image_, group_, std::int64_t{filled_} * shape_.width).data;
  }

 private:
  Dtype* Row(int y) const {
    return memory_ + std::int64_t{samples_.place(y)} * shape_.width * maps_.kernels.lanes;
  }
  const WarpShape& shape_;
  const Maps<Dtype>& maps_;
  const WarpSamples<Dtype>& samples_;
  const Dtype* image_;
  Dtype* memory_;
  Group group_ = {};
  int filled_ = 0;
};

/// A group's image diff in a ring, all zeros between groups; rows are written out when
/// they are complete.
template <typename Dtype>
class DiffRing {
 public:
  DiffRing(const WarpShape& shape, const Maps<Dtype>& maps,
           const WarpSamples<Dtype>& samples, Dtype* image_diff, Dtype* memory)
      : shape_(shape),
        maps_(maps),
        samples_(samples),
        image_diff_(image_diff),
        memory_(memory),
        row_size_(std::int64_t{shape.width} * maps.kernels.lanes) {
    std::fill_n(memory, samples.ring() * row_size_, Dtype(0));
  }

  void Start(const Group& group) {
    group_ = group;
    written_ = 0;
  }
  /// Nothing more is added to rows before `end`.
  void WriteTo(int end) {
    for (; written_ < end; ++written_) {
      maps_.kernels.take_from_lanes(
          memory_ + samples_.place(written_) * row_size_, shape_.width,
          maps_.image_row(image_diff_, group_, std::int64_t{written_} * shape_.width));
    }
  }
  Dtype* data() const { return memory_; }
  /// The row that is written next, in the first of the group's planes.
  const Dtype* next() const {
    return maps_.image_row(image_diff_, group_, std::int64_t{written_} * shape_.width)
        .data;
  }

 private:
  const WarpShape& shape_;
  const Maps<Dtype>& maps_;
  const WarpSamples<Dtype>& samples_;
  Dtype* image_diff_;
  Dtype* memory_;
  std::int64_t row_size_;
  Group group_ = {};
  int written_ = 0;
};

template <typename Dtype>
void fill_outside(const WarpLine<Dtype>& line, Dtype value, const PlaneRows<Dtype>& to) {
  for (int x = 0; x < line.width; ++x) {
    if (line.inside[x]) continue;
    for (int l = 0; l < to.used; ++l) to.data[l * to.stride + x] = value;
  }
}

/// Sums the groups' slopes, [n][group][u, v][y][x], in their order.
template <typename Dtype>
void sum_slopes(const Dtype* slopes, int num, int groups, std::int64_t size,
                Dtype* flow_diff) {
  for (int n = 0; n < num; ++n) {
    const Dtype* from = slopes + n * groups * size;
    Dtype* to = flow_diff + n * size;
    for_each_index(size, [=](std::int64_t i) {
      Dtype sum = from[i];
      for (int g = 1; g < groups; ++g) sum += from[g * size + i];
      to[i] = sum;
    });
  }
}

}  // namespace

template <typename Dtype>
bool warp_fills_lanes(int channels) {
  return 2 * channels >= warp_kernels<Dtype>().lanes;
}

template <typename Dtype>
void warp_forward_lanes(const WarpShape& shape, Dtype fill, const Blob<Dtype>& image,
                        const Blob<Dtype>& flow, Blob<Dtype>* top) {
  const Maps<Dtype> maps(shape, image.num(), image.channels());
  const WarpSamples<Dtype> samples(shape, image.num(), flow.cpu_data());
  const Dtype* in = image.cpu_data();
  Dtype* out = top->mutable_cpu_data();
  const std::int64_t image_plane = std::int64_t{shape.height} * shape.width;
  const int bands = std::min(
      shape.out_height, (max_threads() + maps.items() - 1) / std::max(1, maps.items()));
  parallel_ranges(
      std::int64_t{maps.items()} * bands, 1, [&](std::int64_t begin, std::int64_t end) {
        ImageRing<Dtype> ring(shape, maps, samples, in,
                              thread_memory<Dtype>(std::int64_t{samples.ring()} *
                                                   shape.width * maps.kernels.lanes));
        for (std::int64_t i = begin; i < end; ++i) {
          const Group g = maps.group(static_cast<int>(i / bands));
          const std::int64_t band = i % bands;
          const int last = static_cast<int>(shape.out_height * (band + 1) / bands);
          int y = static_cast<int>(shape.out_height * band / bands);
          ring.Start(g, samples.first_row(g.n, y));
          for (; y < last; ++y) {
            ring.FillTo(samples.end_row(g.n, y));
            const WarpLine<Dtype> line = samples.line(g.n, y);
            const PlaneRows<Dtype> to =
                maps.top_row(out, g, std::int64_t{y} * shape.out_width);
            maps.kernels.forward(
                line, ring.data(),
                {ring.next(), to.data + shape.out_width, nullptr, image_plane, to.stride},
                to);
            if (!samples.all_inside(g.n, y)) fill_outside(line, fill, to);
          }
        }
      });
}

template <typename Dtype>
void warp_backward_lanes(const WarpShape& shape, const Blob<Dtype>& top,
                         bool image_wants_diff, bool flow_wants_diff, Blob<Dtype>* image,
                         Blob<Dtype>* flow) {
  const Maps<Dtype> maps(shape, image->num(), image->channels());
  const std::int64_t out_plane = std::int64_t{shape.out_height} * shape.out_width;
  const std::size_t slopes_size =
      flow_wants_diff ? 2 * maps.items() * out_plane * sizeof(Dtype) : 0;
  const WarpSamples<Dtype> samples(shape, image->num(), flow->cpu_data(), slopes_size);
  Dtype* slopes = static_cast<Dtype*>(samples.memory());
  const Dtype* in = flow_wants_diff ? image->cpu_data() : nullptr;
  const Dtype* top_diff = top.cpu_diff();
  Dtype* image_diff = image_wants_diff ? image->mutable_cpu_diff() : nullptr;
  const int lanes = maps.kernels.lanes;
  const std::int64_t ring_size = std::int64_t{samples.ring()} * shape.width * lanes;
  parallel_ranges(maps.items(), 1, [&](std::int64_t begin, std::int64_t end) {
    Dtype* memory =
        thread_memory<Dtype>(2 * ring_size + std::int64_t{shape.out_width} * lanes);
    ImageRing<Dtype> ring(shape, maps, samples, in, memory);
    DiffRing<Dtype> sums(shape, maps, samples, image_diff, memory + ring_size);
    WarpNextRows<Dtype> next = {};
    next.image_stride = std::int64_t{shape.height} * shape.width;
    next.top_stride = out_plane;
    WarpBackwardRow<Dtype> row = {};
    Dtype* diff = memory + 2 * ring_size;
    row.diff = diff;
    row.image = ring.data();
    row.image_diff = image_wants_diff ? sums.data() : nullptr;
    for (std::int64_t i = begin; i < end; ++i) {
      const Group g = maps.group(static_cast<int>(i));
      ring.Start(g, samples.first_row(g.n, 0));
      sums.Start(g);
      for (int y = 0; y < shape.out_height; ++y) {
        const std::int64_t at = std::int64_t{y} * shape.out_width;
        const PlaneRows<const Dtype> from = maps.top_row(top_diff, g, at);
        maps.kernels.to_lanes(from, shape.out_width, diff);
        next.top = from.data + shape.out_width;
        if (flow_wants_diff) {
          ring.FillTo(samples.end_row(g.n, y));
          row.u_slope = slopes + 2 * i * out_plane + at;
          row.v_slope = row.u_slope + out_plane;
          next.image = ring.next();
        }
        if (image_wants_diff) {
          sums.WriteTo(samples.first_row(g.n, y));
          next.image_diff = sums.next();
        }
        maps.kernels.backward(samples.line(g.n, y), next, row);
      }
      if (image_wants_diff) sums.WriteTo(shape.height);
    }
  });
  if (!flow_wants_diff) return;
  sum_slopes(slopes, image->num(), maps.groups(), 2 * out_plane,
             flow->mutable_cpu_diff());
}

#define INSTANTIATE_WARP_LANES(Dtype)                                                 \
  template bool warp_fills_lanes<Dtype>(int);                                         \
  template void warp_forward_lanes(const WarpShape&, Dtype, const Blob<Dtype>&,       \
                                   const Blob<Dtype>&, Blob<Dtype>*);                 \
  template void warp_backward_lanes(const WarpShape&, const Blob<Dtype>&, bool, bool, \
                                    Blob<Dtype>*, Blob<Dtype>*)

INSTANTIATE_WARP_LANES(float);
INSTANTIATE_WARP_LANES(double);
#undef INSTANTIATE_WARP_LANES

}  // namespace caffe
