// Kernel, stride, pad and dilation of `convolution_param`.
#include "caffe/layers/base_conv_layer.hpp"

namespace caffe {

namespace {

// A field that is repeated (none, one, or one an axis) or, in two dimensions, given as
// _h, _w.
struct Field {
  const char* name;
  const google::protobuf::RepeatedField<google::protobuf::uint32>& values;
  bool has_pair;
  int height, width;
};

vector<int> read_field(const Field& field, int axes, int absent, const string& layer) {
  if (field.has_pair) {
    CHECK_VALUE(axes == 2) << layer << ": " << field.name << "_h and " << field.name
                           << "_w are for 2 spatial axes; the bottom has " << axes;
    CHECK_VALUE(field.values.empty())
        << layer << ": either " << field.name << (absent < 0 ? "_size" : "") << " or "
        << field.name << "_h and " << field.name << "_w may be given, not both";
    return {field.height, field.width};
  }
  const int given = field.values.size();
  const bool fits = given == 1 || given == axes || (given == 0 && absent >= 0);
  CHECK_VALUE(fits) << layer << ": " << field.name << (absent < 0 ? "_size" : "")
                    << " must be given " << (absent < 0 ? "" : "0 times, ")
                    << "once or once a spatial axis (" << axes << "); it is given "
                    << given << " times";
  vector<int> sizes(axes, absent);
  for (int axis = 0; axis < axes && given > 0; ++axis) {
    sizes[axis] = static_cast<int>(field.values.Get(given == 1 ? 0 : axis));
  }
  return sizes;
}

void check_positive(const vector<int>& sizes, const char* what, const string& layer) {
  for (const int size : sizes) {
    CHECK_VALUE(size > 0) << layer << ": " << what << " must be positive; it is " << size;
  }
}

}  // namespace

ConvGeometry read_conv_geometry(const ConvolutionParameter& param, int spatial_axes,
                                const string& layer) {
  ConvGeometry geometry;
  geometry.kernel = read_field(
      {"kernel", param.kernel_size(), param.has_kernel_h() || param.has_kernel_w(),
       static_cast<int>(param.kernel_h()), static_cast<int>(param.kernel_w())},
      spatial_axes, spatial_axes == 0 ? 1 : -1, layer);
  geometry.stride =
      read_field({"stride", param.stride(), param.has_stride_h() || param.has_stride_w(),
                  static_cast<int>(param.stride_h()), static_cast<int>(param.stride_w())},
                 spatial_axes, 1, layer);
  geometry.pad =
      read_field({"pad", param.pad(), param.has_pad_h() || param.has_pad_w(),
                  static_cast<int>(param.pad_h()), static_cast<int>(param.pad_w())},
                 spatial_axes, 0, layer);
  geometry.dilation =
      read_field({"dilation", param.dilation(), false, 0, 0}, spatial_axes, 1, layer);
  check_positive(geometry.kernel, "the kernel size", layer);
  check_positive(geometry.stride, "the stride", layer);
  check_positive(geometry.dilation, "the dilation", layer);
  return geometry;
}

}  // namespace caffe
