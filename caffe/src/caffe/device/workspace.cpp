// The limit of convolutions' workspaces, from the environment.
#include "caffe/device/workspace.hpp"

#include <cstdlib>

#include "caffe/util/logging.hpp"

namespace caffe {
namespace device {

std::int64_t workspace_limit() {
  static const std::int64_t limit = [] {
    const char* text = std::getenv("CAFFE_WORKSPACE_MEGABYTES");
    if (text == nullptr) return std::int64_t{96} << 20;
    char* end = nullptr;
    const long megabytes = std::strtol(text, &end, 10);
    CHECK_VALUE(end != text && *end == '\0' && megabytes >= 1 && megabytes <= 65536)
        << "CAFFE_WORKSPACE_MEGABYTES is '" << text << "'; a number from 1 to 65536 is "
        << "wanted";
    return std::int64_t{megabytes} << 20;
  }();
  return limit;
}

}  // namespace device
}  // namespace caffe
