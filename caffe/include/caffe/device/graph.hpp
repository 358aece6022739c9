// Work recorded once and replayed: CUDA graphs.
#ifndef CAFFE_DEVICE_GRAPH_HPP_
#define CAFFE_DEVICE_GRAPH_HPP_

#include <functional>
#include <memory>

namespace caffe {
namespace device {

/// Whether the device can record work at all (the simulated one cannot).
bool can_record();
/// True on the thread that is recording: no measuring, no copies to the host.
bool is_recording();

/// Memory that only this object's owner draws from, so that what a graph writes is never
/// given to anybody else. Buffers taken while a Use lives come from it; freed ones go
/// back to it.
class PrivateMemory {
 public:
  PrivateMemory();
  ~PrivateMemory();
  PrivateMemory(const PrivateMemory&) = delete;
  PrivateMemory& operator=(const PrivateMemory&) = delete;

  class Use {
   public:
    explicit Use(PrivateMemory* memory);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    void* before_;
  };

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// A recording of what `work` launches on the calling thread's stream.
class Graph {
 public:
  Graph();
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  /// Records instead of running. False if the work did something that cannot be recorded
  /// (a copy to the host, say); it has then not run either. Errors of `work` come out.
  bool Record(const std::function<void()>& work);
  bool is_recorded() const { return impl_ != nullptr; }
  void Replay();
  void Clear();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_GRAPH_HPP_
