// The plan of a net: which layers run as one call, and when blobs give their memory back.
#ifndef CAFFE_NET_PLAN_HPP_
#define CAFFE_NET_PLAN_HPP_

#include <memory>
#include <vector>

#include "caffe/backend/affine_chain.hpp"
#include "caffe/backend/epilogue.hpp"
#include "caffe/net.hpp"
#include "caffe/util/arena.hpp"

namespace caffe {

/// Built once per net; consulted for every pass.
///
/// Fusion (TEST phase): a host layer (Convolution) and the in-place layers directly
/// behind it (BatchNorm, Scale, ReLU, ...) run as one call with folded weights. The blob
/// they share ends with the value that the unfused layers leave. In a `keep` net a
/// residual join (Eltwise SUM, ReLU) of a blob that nobody kept joins the call too. In
/// the TRAIN phase of a `keep` net such chains train folded (on a GPU, too): with
/// statistics that do not change, convolution, BatchNorm, Scale and ReLU are one
/// convolution with weights W' = scale * W, and the gradients of all their parameters
/// follow from those of W' and b'.
///
/// Memory: in a `keep` net all blobs draw from one arena, and a blob that is neither kept
/// nor an input nor an output returns its memory after its last reader; in the TRAIN
/// phase, where backward reads it again, after the backward of the layer that made it.
/// Diffs go the same way.
template <typename Dtype>
class NetPlan {
 public:
  explicit NetPlan(Net<Dtype>* net);

  /// The layer after the group that begins at `layer_id` if that group can run fused
  /// within [layer_id, end], after running it; `layer_id` itself if there is no such
  /// group.
  int RunGroup(int layer_id, int end);
  /// To be called before and after each layer that ran by itself.
  void BeforeLayer(int layer_id);
  void AfterLayers(int first, int last);
  void BeforeBackward(int layer_id);
  void AfterBackward(int layer_id);

  bool keeps() const { return keep_; }
  /// The net runs backward: groups that ran fused run once more, layer by layer, to leave
  /// what their gradients need, and from now on nothing runs fused. True if something
  /// could until now.
  bool PrepareBackward();
  /// The backward of the group that ends at `layer_id` if it ran fused and begins at
  /// `end` or later: the layer in front of it. Else `layer_id` itself; a group that the
  /// range cuts has then run once more, layer by layer.
  int RunGroupBackward(int layer_id, int end);
  int num_groups() const { return static_cast<int>(groups_.size()); }

 private:
  struct Group {
    int first = 0, last = 0;
    EpilogueHost<Dtype>* host = nullptr;
    AffineChain affine;
    bool ran_fused = false;  ///< in its last pass
    int join = -1;           ///< the Eltwise layer, or -1
    int addend_blob = -1;    ///< blob id of the join's other input
    Epilogue<Dtype> epilogue;
  };

  void FindGroups();
  bool ExtendInPlace(Group* group, int blob_id, int* next) const;
  bool ExtendJoin(Group* group, int blob_id, int next) const;
  void FindLastUses();
  bool FusionAllowed() const;
  bool NeedsBackward(const Group& group) const;
  bool AcceptsGroup(const Group& group) const;
  bool FoldsOnDevice() const;
  void RefreshAffine(Group* group);

  Net<Dtype>* net_;
  std::vector<Group> groups_;
  std::vector<int> group_of_layer_;  ///< of a group's first layer: its index, else -1
  std::vector<int> group_holding_;   ///< the group that a layer belongs to, or -1
  bool fusion_enabled_ = true;
  bool keep_ = false;
  shared_ptr<Arena> arena_;
  std::vector<std::vector<int>> release_after_;  ///< blob ids, by layer, in forward
  std::vector<std::vector<int>> release_after_backward_;  ///< likewise, in backward
  std::vector<shared_ptr<const string>> blob_name_labels_;
};

}  // namespace caffe

#endif  // CAFFE_NET_PLAN_HPP_
