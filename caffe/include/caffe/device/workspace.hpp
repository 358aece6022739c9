// How much memory one call of a convolution may work in.
#ifndef CAFFE_DEVICE_WORKSPACE_HPP_
#define CAFFE_DEVICE_WORKSPACE_HPP_

#include <cstdint>

namespace caffe {
namespace device {

/// Bytes: CAFFE_WORKSPACE_MEGABYTES (1 to 65536), read once; else 48 MB, or as much as
/// the call's operands take, up to 256 MB. Error: not a number in that range.
std::int64_t workspace_limit(std::int64_t operand_bytes = 0);

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_WORKSPACE_HPP_
