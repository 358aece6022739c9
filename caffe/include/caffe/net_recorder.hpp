// Records a net's forward pass on the device and replays it (CUDA graphs).
#ifndef CAFFE_NET_RECORDER_HPP_
#define CAFFE_NET_RECORDER_HPP_

#include <cstdint>
#include <functional>
#include <vector>

#include "caffe/blob.hpp"
#include "caffe/device/graph.hpp"

namespace caffe {

template <typename Dtype>
class Net;

/// The first pass of a shape runs as it is (implementations are measured there), the
/// second is recorded, later ones are replayed: some hundred launches become one. A pass
/// is recorded only where its layers launch the same work every time
/// (Layer::RepeatsOnDevice) and nobody looks between them; parameters that change,
/// another shape, memory that moves, or a NumPy view that lives make the pass run as it
/// is. CAFFE_GRAPH=off turns recording off.
template <typename Dtype>
class NetRecorder {
 public:
  explicit NetRecorder(Net<Dtype>* net) : net_(net) {}

  /// Runs the whole forward pass: by replay, while recording, or by calling `run`.
  void Forward(const std::function<void()>& run);

 private:
  struct Address {
    SyncedMemory* memory = nullptr;
    const void* pointer = nullptr;
  };

  bool MayRecord() const;
  std::uint64_t Stamp() const;
  bool InputsAreInPlace();
  bool OutputsAreInPlace();
  void NoteAddresses();
  void SyncViewsOfOutputs();

  Net<Dtype>* net_;
  device::PrivateMemory memory_;
  device::Graph graph_;
  std::uint64_t stamp_ = 0;  ///< of the last pass
  bool cannot_ = false;      ///< recording this stamp failed
  std::vector<Address> inputs_, outputs_;
};

}  // namespace caffe

#endif  // CAFFE_NET_RECORDER_HPP_
