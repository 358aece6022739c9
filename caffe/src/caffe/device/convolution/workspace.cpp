// The limit of convolutions' workspaces, from the environment.
#include "caffe/device/workspace.hpp"

#include <algorithm>
#include <cstdlib>

#include "caffe/util/logging.hpp"

namespace caffe {
namespace device {

namespace {

constexpr std::int64_t kMegabyte = 1 << 20;

/// 0: not set.
std::int64_t LimitOfEnvironment() {
  const char* text = std::getenv("CAFFE_WORKSPACE_MEGABYTES");
  if (text == nullptr) return 0;
  char* end = nullptr;
  const long megabytes = std::strtol(text, &end, 10);
  CHECK_VALUE(end != text && *end == '\0' && megabytes >= 1 && megabytes <= 65536)
      << "CAFFE_WORKSPACE_MEGABYTES is '" << text << "'; a number from 1 to 65536 is "
      << "wanted";
  return megabytes * kMegabyte;
}

}  // namespace

std::int64_t workspace_limit(std::int64_t operand_bytes) {
  static const std::int64_t limit = LimitOfEnvironment();
  if (limit > 0) return limit;
  return std::min(256 * kMegabyte, std::max(48 * kMegabyte, operand_bytes));
}

}  // namespace device
}  // namespace caffe
