// CUDA graphs by stream capture, and the private memory that goes with them.
#include "caffe/device/graph.hpp"

#include <mutex>

#include "cache.hpp"
#include "caffe/device/cuda/cuda_check.hpp"
#include "caffe/device/stream.hpp"

namespace caffe {
namespace device {

namespace {

thread_local bool recording = false;

/// Recordings that are going on, of all threads.
struct Recordings {
  std::mutex mutex;
  int count = 0;
};
Recordings& recordings() {
  static auto* instance = new Recordings;
  return *instance;
}

/// The calling thread's stream is captured while it lives.
class Capture {
 public:
  Capture() {
    const std::lock_guard<std::mutex> lock(recordings().mutex);
    // Relaxed: what other threads do meanwhile is theirs.
    CUDA_CHECK(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeRelaxed));
    ++recordings().count;
    recording = true;
  }
  ~Capture() {
    cudaGraph_t graph = nullptr;
    if (!recording) return;
    if (End(&graph) == cudaSuccess) {
      cudaGraphDestroy(graph);
    } else {
      cudaGetLastError();
    }
  }
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;

  cudaError_t End(cudaGraph_t* graph) {
    const std::lock_guard<std::mutex> lock(recordings().mutex);
    recording = false;
    --recordings().count;
    return cudaStreamEndCapture(stream(), graph);
  }
};

}  // namespace

DeviceAtRest::DeviceAtRest() : lock_(recordings().mutex) {
  holds_ = recordings().count == 0 && cudaDeviceSynchronize() == cudaSuccess;
  if (holds_) return;
  cudaGetLastError();
  lock_.unlock();
}

// Without a cache, what a recording frees goes back to the driver at once.
bool can_record() { return !cache_is_off(); }
bool is_recording() { return recording; }

struct PrivateMemory::Impl {
  Cache cache;
};

PrivateMemory::PrivateMemory() : impl_(std::make_shared<Impl>()) {
  register_cache(std::shared_ptr<Cache>(impl_, &impl_->cache));
}
PrivateMemory::~PrivateMemory() {
  impl_.reset();
  empty_ownerless_caches();  // what is in use now goes back when it is freed
}

PrivateMemory::Use::Use(PrivateMemory* memory)
    : before_(
          exchange_thread_cache(memory != nullptr ? &memory->impl_->cache : nullptr)) {}
PrivateMemory::Use::~Use() { exchange_thread_cache(static_cast<Cache*>(before_)); }

/// What was captured, and the cache that it drew from.
struct Graph::Impl {
  std::shared_ptr<Cache> memory = registered_thread_cache();
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  Impl() {
    if (memory) memory->Pin();
  }
  ~Impl() {
    if (executable != nullptr) cudaGraphExecDestroy(executable);
    if (graph != nullptr) cudaGraphDestroy(graph);
    if (!memory) return;
    memory->Unpin();
    memory.reset();
    empty_ownerless_caches();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
};

Graph::Graph() = default;
Graph::~Graph() = default;

bool Graph::Record(const std::function<void()>& work) {
  Clear();
  auto impl = std::make_unique<Impl>();
  Capture capture;
  bool failed = false;
  try {
    work();
  } catch (const Error&) {
    failed = true;  // a call that cannot be recorded, or an error that the next run shows
  }
  const cudaError_t ended = capture.End(&impl->graph);
  if (failed || ended != cudaSuccess || impl->graph == nullptr) {
    cudaGetLastError();
    return false;
  }
  const cudaError_t made = cudaGraphInstantiate(&impl->executable, impl->graph, 0);
  if (made != cudaSuccess) {
    cudaGetLastError();
    return false;
  }
  impl_ = std::move(impl);
  return true;
}

void Graph::Replay() {
  CHECK(impl_) << "nothing has been recorded";
  CUDA_CHECK(cudaGraphLaunch(impl_->executable, stream()));
}

void Graph::Clear() { impl_.reset(); }

}  // namespace device
}  // namespace caffe
