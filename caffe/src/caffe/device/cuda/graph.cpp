// CUDA graphs by stream capture, and the private memory that goes with them.
#include "caffe/device/graph.hpp"

#include "cache.hpp"
#include "caffe/device/cuda/cuda_check.hpp"
#include "caffe/device/stream.hpp"

namespace caffe {
namespace device {

namespace {
thread_local bool recording = false;
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
PrivateMemory::~PrivateMemory() =
    default;  // the cache lives on until its pieces are free

PrivateMemory::Use::Use(PrivateMemory* memory)
    : before_(
          exchange_thread_cache(memory != nullptr ? &memory->impl_->cache : nullptr)) {}
PrivateMemory::Use::~Use() { exchange_thread_cache(static_cast<Cache*>(before_)); }

struct Graph::Impl {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t executable = nullptr;
  ~Impl() {
    if (executable != nullptr) cudaGraphExecDestroy(executable);
    if (graph != nullptr) cudaGraphDestroy(graph);
  }
};

Graph::Graph() = default;
Graph::~Graph() = default;

bool Graph::Record(const std::function<void()>& work) {
  Clear();
  auto impl = std::make_unique<Impl>();
  // Relaxed: what other threads do meanwhile is theirs.
  CUDA_CHECK(cudaStreamBeginCapture(stream(), cudaStreamCaptureModeRelaxed));
  recording = true;
  bool failed = false;
  try {
    work();
  } catch (const Error&) {
    failed = true;  // a call that cannot be recorded, or an error that the next run shows
  } catch (...) {
    recording = false;
    cudaStreamEndCapture(stream(), &impl->graph);
    throw;
  }
  recording = false;
  const cudaError_t ended = cudaStreamEndCapture(stream(), &impl->graph);
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
