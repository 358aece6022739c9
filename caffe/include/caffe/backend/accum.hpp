// The index map of Accum: corner-aligned linear interpolation, and its adjoint.
#ifndef CAFFE_BACKEND_ACCUM_HPP_
#define CAFFE_BACKEND_ACCUM_HPP_

#include <cstdint>

#include "caffe/device/body.hpp"

namespace caffe {

/// One axis from `in` to `out` pixels. Output o lies at X = o (in - 1) / (out - 1), at 0
/// where either size is 1; input p weighs max(0, 1 - |X - p|). In whole numbers, so that
/// the last output lies exactly on the last input.
struct AccumAxis {
  int in = 1, out = 1;

  CAFFE_HD bool is_single() const { return in == 1 || out == 1; }
  /// The input at or before X.
  CAFFE_HD int lower(int o) const {
    if (is_single()) return 0;
    return static_cast<int>(std::int64_t{o} * (in - 1) / (out - 1));
  }
  /// X - lower, the weight of the next input.
  CAFFE_HD double share(int o) const {
    if (is_single()) return 0;
    return static_cast<double>(std::int64_t{o} * (in - 1) % (out - 1)) / (out - 1);
  }
  CAFFE_HD double weight(int o, int p) const {
    const int before = lower(o);
    if (p == before) return 1 - share(o);
    return p == before + 1 ? share(o) : 0;
  }
  /// First and last (included) output that may weigh input p.
  CAFFE_HD int first_output(int p) const {
    if (is_single() || p == 0) return 0;
    return static_cast<int>(std::int64_t{p - 1} * (out - 1) / (in - 1)) + 1;
  }
  CAFFE_HD int last_output(int p) const {
    if (is_single()) return out - 1;
    const std::int64_t last = ((std::int64_t{p} + 1) * (out - 1) - 1) / (in - 1);
    return last > out - 1 ? out - 1 : static_cast<int>(last);
  }
};

/// One bottom's part of the top: the bottom is (N, channels, rows.in, columns.in), the
/// top (N, top_channels, rows.out, columns.out), of which this part begins at
/// first_channel.
struct AccumShape {
  AccumAxis rows, columns;
  int channels = 1, first_channel = 0, top_channels = 1;

  CAFFE_HD std::int64_t in_plane() const { return std::int64_t{rows.in} * columns.in; }
  CAFFE_HD std::int64_t out_plane() const { return std::int64_t{rows.out} * columns.out; }
  /// Where the top's plane is that belongs to plane `n * channels + c` of the bottom.
  CAFFE_HD std::int64_t top_plane(std::int64_t plane) const {
    const std::int64_t channel = plane % channels + first_channel;
    return (plane / channels * top_channels + channel) * out_plane();
  }
};

/// Entry i of the part, numbered as a blob (N, channels, rows.out, columns.out).
template <typename Dtype>
struct AccumValue {
  AccumShape shape;
  const Dtype* in;
  Dtype* top;
  CAFFE_HD void operator()(std::int64_t i) const {
    const std::int64_t plane = i / shape.out_plane(), place = i % shape.out_plane();
    const int y = static_cast<int>(place / shape.columns.out);
    const int x = static_cast<int>(place % shape.columns.out);
    const Dtype down = static_cast<Dtype>(shape.rows.share(y));
    const Dtype right = static_cast<Dtype>(shape.columns.share(x));
    // A neighbour without weight is not read: it may be NaN, or not be there.
    const int row = shape.columns.in, next_row = down > 0 ? row : 0;
    const int next = right > 0 ? 1 : 0;
    const Dtype* at = in + plane * shape.in_plane() +
                      std::int64_t{shape.rows.lower(y)} * row + shape.columns.lower(x);
    const Dtype upper = next == 0 ? at[0] : (1 - right) * at[0] + right * at[1];
    at += next_row;
    const Dtype lower = next == 0 ? at[0] : (1 - right) * at[0] + right * at[1];
    top[shape.top_plane(plane) + place] =
        next_row == 0 ? upper : (1 - down) * upper + down * lower;
  }
};

/// Entry i of the bottom's diff: what all outputs that read it give back.
template <typename Dtype>
struct AccumGradient {
  AccumShape shape;
  const Dtype* top_diff;
  Dtype* in_diff;
  CAFFE_HD void operator()(std::int64_t i) const {
    const std::int64_t plane = i / shape.in_plane(), place = i % shape.in_plane();
    const int s = static_cast<int>(place / shape.columns.in);
    const int p = static_cast<int>(place % shape.columns.in);
    const Dtype* diff = top_diff + shape.top_plane(plane);
    const int first_x = shape.columns.first_output(p);
    const int last_x = shape.columns.last_output(p);
    Dtype sum = 0;
    for (int y = shape.rows.first_output(s); y <= shape.rows.last_output(s); ++y) {
      const Dtype* row = diff + std::int64_t{y} * shape.columns.out;
      Dtype of_row = 0;
      for (int x = first_x; x <= last_x; ++x) {
        of_row += static_cast<Dtype>(shape.columns.weight(x, p)) * row[x];
      }
      sum += static_cast<Dtype>(shape.rows.weight(y, s)) * of_row;
    }
    in_diff[i] = sum;
  }
};

}  // namespace caffe

#endif  // CAFFE_BACKEND_ACCUM_HPP_
