// Records a net's pass on the device and replays it (CUDA graphs).
#ifndef CAFFE_NET_RECORDER_HPP_
#define CAFFE_NET_RECORDER_HPP_

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "caffe/blob.hpp"
#include "caffe/device/graph.hpp"

namespace caffe {

template <typename Dtype>
class Net;

/// A pass in the parts that the recorder tells apart.
struct RecordablePass {
  bool backward = false;
  /// Forward of the first n layers.
  std::function<void(int)> head;
  /// Forward of all layers behind the first n, and their backward.
  std::function<void(int)> rest;
  /// Backward of the first n layers.
  std::function<void(int)> tail;
  /// Gives back the blobs that are not kept when `rest` has run.
  std::function<void(int)> release;
};

/// The first pass of a shape runs as it is (implementations are measured there), the
/// second is recorded, later ones are replayed: some hundred launches become one.
///
/// What is recorded begins behind the last layer that does not launch the same work every
/// time (Layer::RepeatsOnDevice; data layers, mostly), and only where nobody looks
/// between the layers. Another shape, memory that moves, a NumPy view of an inner blob,
/// and in the TEST phase, where parameters are folded, a parameter that changes, make the
/// pass run as it is. So does another thread, whose libraries' workspaces are others. A
/// net whose recordings are never replayed, because something moves in every pass, is
/// recorded no more after a few of them. CAFFE_GRAPH=off turns recording off.
template <typename Dtype>
class NetRecorder {
 public:
  explicit NetRecorder(Net<Dtype>* net) : net_(net) {}

  /// Runs a whole pass, or records or replays its `rest`.
  void Run(const RecordablePass& pass);
  /// Whether the last Run replayed, so that losses have to be read from the tops.
  bool replayed() const { return replayed_; }
  /// The next pass does other work than what was recorded.
  void Forget();

 private:
  /// Where a form of a blob's data (or diff) lies. A reshape may have given the blob
  /// another memory meanwhile.
  struct Address {
    const Blob<Dtype>* blob = nullptr;
    bool is_diff = false;
    std::weak_ptr<SyncedMemory> owner;
    SyncedMemory* memory = nullptr;
    const void* pointer = nullptr;
    bool channels_last = false;

    Address(const Blob<Dtype>* blob, bool is_diff, bool channels_last);
    bool IsBlobs() const;
  };

  bool MayRecord() const;
  int FirstRecorded() const;
  std::uint64_t Stamp(int first, bool backward) const;
  void RunRest(const RecordablePass& pass, int first);
  void NoteSources(int first, bool backward);
  bool Record(const RecordablePass& pass, int first);
  void NoteResults(const vector<std::uint64_t>& versions);
  bool ReadFromPlace();
  bool WrittenInPlace() const;
  void UndoForms();
  bool GivesUp();
  void Replay();

  Net<Dtype>* net_;
  /// Of what is recorded, and of the layers in front of that, which must not take what a
  /// replay is going to write.
  device::PrivateMemory memory_, head_memory_;
  device::Graph graph_;
  std::uint64_t stamp_ = 0;  ///< of the last pass
  bool cannot_ = false;      ///< recording this stamp failed
  bool replayed_ = false;
  bool given_up_ = false;
  int unused_ = 0;  ///< attempts in a row that no later pass replayed
  std::vector<Address> read_, written_;
};

}  // namespace caffe

#endif  // CAFFE_NET_RECORDER_HPP_
