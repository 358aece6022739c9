// Parts of a blob along one axis: joined to the whole, or cut from it. What Concat and
// Slice do.
#ifndef CAFFE_BACKEND_JOINT_HPP_
#define CAFFE_BACKEND_JOINT_HPP_

#include <vector>

#include "caffe/blob.hpp"

namespace caffe {

/// Row r of a part is at r * step + begin in the whole.
struct JointPlace {
  int rows, length, step, begin;
};

/// How parts lie in a whole. Both directions work where Caffe::mode() says; on the host
/// over axis 0 or 1 in the blocked layout if what they read is in it, on the device over
/// axis 1 channels-last if most of it is, else row-major.
template <typename Dtype>
class Joint {
 public:
  Joint() = default;
  /// Shapes as they are now; the parts' sizes on `axis` add up to the whole's.
  Joint(int axis, const Blob<Dtype>& whole, const vector<Blob<Dtype>*>& parts);

  /// whole = the parts, one after the other. A null part stands for zeros.
  void Join(const vector<SyncedMemory*>& parts, SyncedMemory* whole) const;
  /// Each part = its piece of the whole. A null part is left out.
  void Cut(SyncedMemory* whole, const vector<SyncedMemory*>& parts) const;

 private:
  void JoinPlain(const vector<SyncedMemory*>& parts, SyncedMemory* whole) const;
  void JoinBlocked(const vector<SyncedMemory*>& parts, SyncedMemory* whole) const;
  void JoinGpu(const vector<SyncedMemory*>& parts, SyncedMemory* whole) const;
  void CutPlain(SyncedMemory* whole, const vector<SyncedMemory*>& parts) const;
  void CutBlocked(SyncedMemory* whole, const vector<SyncedMemory*>& parts) const;
  void CutGpu(SyncedMemory* whole, const vector<SyncedMemory*>& parts) const;
  ChannelsLast PartOrder(size_t i) const;
  JointPlace PlaceOf(size_t i, bool channels_last) const;
  bool blocked_layouts_exist() const;

  int axis_ = 0;
  int outer_ = 1, inner_ = 1;  // counts before and after the axis
  int whole_size_ = 0;         // on the axis
  vector<int> begin_;          // of each part on the axis, and the end of the last
  BlockedLayout whole_layout_;
  vector<BlockedLayout> part_layouts_;
};

}  // namespace caffe

#endif  // CAFFE_BACKEND_JOINT_HPP_
