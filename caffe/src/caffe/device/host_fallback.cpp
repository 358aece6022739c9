// Names each layer type that works on the host in GPU mode.
#include "caffe/device/host_fallback.hpp"

#include <mutex>
#include <set>
#include <string>

#include "caffe/util/logging.hpp"

namespace caffe {

void note_host_fallback(const char* layer_type) {
  static std::mutex mutex;
  static std::set<std::string>* named = new std::set<std::string>;
  const std::lock_guard<std::mutex> lock(mutex);
  if (!named->insert(layer_type).second) return;
  LOG(WARNING) << "Layer type '" << layer_type
               << "' has no GPU code: it works on the host, and its blobs are copied "
                  "there and back.";
}

}  // namespace caffe
