// The simulated device records nothing: nets run as they are.
#include "caffe/device/graph.hpp"

namespace caffe {
namespace device {

bool can_record() { return false; }
bool is_recording() { return false; }

struct PrivateMemory::Impl {};
PrivateMemory::PrivateMemory() = default;
PrivateMemory::~PrivateMemory() = default;
PrivateMemory::Use::Use(PrivateMemory*) : before_(nullptr) { (void)before_; }
PrivateMemory::Use::~Use() = default;

struct Graph::Impl {};
Graph::Graph() = default;
Graph::~Graph() = default;
bool Graph::Record(const std::function<void()>&) { return false; }
void Graph::Replay() {}
void Graph::Clear() {}

}  // namespace device
}  // namespace caffe
