// Graphs of the simulated device, and the private memory that goes with them.
#include "caffe/device/graph.hpp"

#include <utility>

#include "caffe/device/device.hpp"
#include "caffe/util/logging.hpp"
#include "recorded_work.hpp"

namespace caffe {
namespace device {

bool can_record() { return is_built(); }

struct PrivateMemory::Impl {
  Memory::Pool pool;
  Impl() { memory().Add(&pool); }
  ~Impl() { memory().Dissolve(&pool); }
};

namespace {
thread_local Memory::Pool* pool_of_thread = nullptr;
}
Memory::Pool* thread_pool() { return pool_of_thread; }

PrivateMemory::PrivateMemory() : impl_(std::make_shared<Impl>()) {}
PrivateMemory::~PrivateMemory() = default;

PrivateMemory::Use::Use(PrivateMemory* memory)
    : before_(std::exchange(pool_of_thread,
                            memory != nullptr ? &memory->impl_->pool : nullptr)) {}
PrivateMemory::Use::~Use() { pool_of_thread = static_cast<Memory::Pool*>(before_); }

struct Graph::Impl {
  RecordedWork recording;
};

Graph::Graph() = default;
Graph::~Graph() = default;

bool Graph::Record(const std::function<void()>& work) {
  Clear();
  CHECK(!is_recording()) << "the thread records already";
  auto impl = std::make_unique<Impl>();
  RecordedWork::current() = &impl->recording;
  bool failed = false;
  try {
    work();
  } catch (const Error&) {
    failed = true;  // as on a real device: the next run shows it, if it is an error there
  } catch (...) {
    RecordedWork::current() = nullptr;
    throw;
  }
  RecordedWork::current() = nullptr;
  if (!impl->recording.End() || failed) return false;
  impl_ = std::move(impl);
  return true;
}

void Graph::Replay() {
  CHECK(impl_) << "nothing has been recorded";
  forbid_in_recording("a replay");
  impl_->recording.Run();
}

void Graph::Clear() { impl_.reset(); }

}  // namespace device
}  // namespace caffe
