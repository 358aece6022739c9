// The bodies of the warp kernels, over GCC's vector types; included once for each
// instruction set.
#ifndef CAFFE_BACKEND_WARP_TILES_HPP_
#define CAFFE_BACKEND_WARP_TILES_HPP_

#include "lane_vectors.hpp"
#include "warp_kernels.hpp"

namespace caffe {
namespace {

template <typename Dtype, int kBytes>
struct WarpTiles : LaneVectors<Dtype, kBytes> {
  typedef LaneVectors<Dtype, kBytes> Base;
  typedef typename Base::Vec Vec;
  static constexpr int kLanes = Base::kLanes;

  // Calls body(x) for tiles of kLanes pixels that cover the row, the last two
  // overlapping.
  template <typename Body>
  static CAFFE_ALWAYS_INLINE void ForTiles(int width, const Body& body) {
    for (int x = 0; x < width; x += kLanes) {
      body(x + kLanes <= width ? x : width - kLanes);
    }
  }

  static void ToLanes(const PlaneRows<const Dtype>& from, int width, Dtype* to) {
    if (width < kLanes) {
      for (int x = 0; x < width; ++x) {
        for (int l = 0; l < kLanes; ++l) {
          to[x * kLanes + l] = l < from.used ? from.data[l * from.stride + x] : Dtype(0);
        }
      }
      return;
    }
    ForTiles(width, [&](int x) {
      Vec rows[kLanes];
      if (from.used == kLanes) {
#pragma GCC unroll 16
        for (int l = 0; l < kLanes; ++l) {
          Base::Load(from.data + l * from.stride + x, &rows[l]);
        }
      } else {
        for (int l = 0; l < kLanes; ++l) {
          rows[l] = Vec{};
          if (l < from.used) Base::Load(from.data + l * from.stride + x, &rows[l]);
        }
      }
      Base::TransposeRows(rows);
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) Base::Store(rows[i], to + (x + i) * kLanes);
    });
  }

  static CAFFE_ALWAYS_INLINE void StoreRows(const Vec* rows, int x,
                                            const PlaneRows<Dtype>& to) {
    if (to.used == kLanes) {
#pragma GCC unroll 16
      for (int l = 0; l < kLanes; ++l) Base::Store(rows[l], to.data + l * to.stride + x);
      return;
    }
#pragma GCC unroll 16
    for (int l = 0; l < kLanes; ++l) {
      if (l < to.used) Base::Store(rows[l], to.data + l * to.stride + x);
    }
  }

  static void TakeFromLanes(Dtype* from, int width, const PlaneRows<Dtype>& to) {
    int x = 0;
    for (; x + kLanes <= width; x += kLanes) {
      Vec rows[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) {
        Base::Load(from + (x + i) * kLanes, &rows[i]);
        Base::Store(Vec{}, from + (x + i) * kLanes);
      }
      Base::TransposeRows(rows);
      StoreRows(rows, x, to);
    }
    for (; x < width; ++x) {
      for (int l = 0; l < to.used; ++l) to.data[l * to.stride + x] = from[x * kLanes + l];
      Base::Store(Vec{}, from + x * kLanes);
    }
  }

  // The four pixels of a sample.
  struct Corners {
    Vec top[2], bottom[2];
  };
  static CAFFE_ALWAYS_INLINE Corners At(const WarpLine<Dtype>& line, int x,
                                        const Dtype* image) {
    const Dtype* top = image + std::int64_t{line.top[x]} * kLanes;
    const Dtype* bottom = image + std::int64_t{line.bottom[x]} * kLanes;
    const std::int64_t right = std::int64_t{line.right[x]} * kLanes;
    Corners c;
    Base::Load(top, &c.top[0]);
    Base::Load(top + right, &c.top[1]);
    Base::Load(bottom, &c.bottom[0]);
    Base::Load(bottom + right, &c.bottom[1]);
    return c;
  }
  static CAFFE_ALWAYS_INLINE Vec Value(const WarpLine<Dtype>& line, int x,
                                       const Dtype* image) {
    const Corners c = At(line, x, image);
    const Dtype left = line.column[0][x], right = line.column[1][x];
    return line.row[0][x] * (left * c.top[0] + right * c.top[1]) +
           line.row[1][x] * (left * c.bottom[0] + right * c.bottom[1]);
  }

  static void Forward(const WarpLine<Dtype>& line, const Dtype* image,
                      const WarpNextRows<Dtype>& next, const PlaneRows<Dtype>& to) {
    if (line.width < kLanes) {
      for (int x = 0; x < line.width; ++x) {
        const Vec value = Value(line, x, image);
        for (int l = 0; l < to.used; ++l) to.data[l * to.stride + x] = value[l];
      }
      return;
    }
    ForTiles(line.width, [&](int x) {
      Vec rows[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) {
        __builtin_prefetch(next.image + i * next.image_stride + x, 0, 2);
        __builtin_prefetch(next.top + i * next.top_stride + x, 1, 2);
        rows[i] = Value(line, x + i, image);
      }
      Base::TransposeRows(rows);
      StoreRows(rows, x, to);
    });
  }

  static CAFFE_ALWAYS_INLINE void Add(const Vec& value, Dtype* to) {
    Vec sum;
    Base::Load(to, &sum);
    Base::Store(sum + value, to);
  }

  // One pixel: adds to the image's diff, gives the products that the slopes sum up.
  template <bool kImage, bool kFlow>
  static CAFFE_ALWAYS_INLINE void Pixel(const WarpLine<Dtype>& line, int x,
                                        const WarpBackwardRow<Dtype>& row, Vec* u,
                                        Vec* v) {
    if (!line.inside[x]) {
      if (kFlow) *u = *v = Vec{};
      return;
    }
    const Dtype left = line.column[0][x], right = line.column[1][x];
    const Dtype above = line.row[0][x], below = line.row[1][x];
    Vec diff;
    Base::Load(row.diff + std::int64_t{x} * kLanes, &diff);
    if (kFlow) {
      const Corners c = At(line, x, row.image);
      const Vec top = c.top[1] - c.top[0], bottom = c.bottom[1] - c.bottom[0];
      *u = diff * (above * top + below * bottom);
      *v = diff * (left * (c.bottom[0] - c.top[0]) + right * (c.bottom[1] - c.top[1]));
    }
    if (kImage) {
      Dtype* top = row.image_diff + std::int64_t{line.top[x]} * kLanes;
      Dtype* bottom = row.image_diff + std::int64_t{line.bottom[x]} * kLanes;
      const std::int64_t step = std::int64_t{line.right[x]} * kLanes;
      const Vec up = above * diff, down = below * diff;
      Add(left * up, top);
      Add(right * up, top + step);
      Add(left * down, bottom);
      Add(right * down, bottom + step);
    }
  }

  // By value: copies stay in registers, no store can reach them.
  template <bool kImage, bool kFlow>
  static CAFFE_ALWAYS_INLINE void BackwardRow(const WarpLine<Dtype> line,
                                              const WarpNextRows<Dtype> next,
                                              const WarpBackwardRow<Dtype> row) {
    for (int x = 0; x < line.width; x += kLanes) {
      const int count = line.width - x < kLanes ? line.width - x : kLanes;
      Vec u[kLanes], v[kLanes];
      for (int i = 0; i < count; ++i) {
        __builtin_prefetch(next.top + i * next.top_stride + x, 0, 2);
        if (kFlow) __builtin_prefetch(next.image + i * next.image_stride + x, 0, 2);
        if (kImage) __builtin_prefetch(next.image_diff + i * next.image_stride + x, 1, 2);
        Pixel<kImage, kFlow>(line, x + i, row, &u[i], &v[i]);
      }
      if (!kFlow) continue;
      for (int i = count; i < kLanes; ++i) u[i] = v[i] = Vec{};
      const Vec u_sum = Base::SumRows(u), v_sum = Base::SumRows(v);
      if (count == kLanes) {
        Base::Store(u_sum, row.u_slope + x);
        Base::Store(v_sum, row.v_slope + x);
        continue;
      }
      for (int i = 0; i < count; ++i) {
        row.u_slope[x + i] = u_sum[i];
        row.v_slope[x + i] = v_sum[i];
      }
    }
  }
  static void Backward(const WarpLine<Dtype>& line, const WarpNextRows<Dtype>& next,
                       const WarpBackwardRow<Dtype>& row) {
    if (row.u_slope == nullptr) return BackwardRow<true, false>(line, next, row);
    if (row.image_diff == nullptr) return BackwardRow<false, true>(line, next, row);
    BackwardRow<true, true>(line, next, row);
  }

  static WarpKernels<Dtype> Table() {
    return {kLanes, &ToLanes, &TakeFromLanes, &Forward, &Backward};
  }
};

}  // namespace
}  // namespace caffe

#endif  // CAFFE_BACKEND_WARP_TILES_HPP_
