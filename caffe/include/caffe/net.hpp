// Net: layers wired by blob names, run forward and backward, with its weights in and out.
#ifndef CAFFE_NET_HPP_
#define CAFFE_NET_HPP_

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "caffe/blob.hpp"
#include "caffe/common.hpp"
#include "caffe/layer.hpp"
#include "caffe/proto/caffe.pb.h"

namespace caffe {

template <typename Dtype>
class NetPlan;
template <typename Dtype>
class NetRecorder;

/// What loading a weights file did, by layer name.
struct WeightReport {
  vector<string> loaded;     ///< in both, copied
  vector<string> skipped;    ///< in the file, not in the net
  vector<string> untouched;  ///< in the net with parameters, not in the file
};

/// A directed acyclic graph of layers, run in the order of its definition.
///
/// differs: definitions handed over in memory are upgraded too; loss weights live beside
/// the blobs and survive reshaping; automatic tops have unique names; in the TEST phase
/// chains of layers run fused where nothing inside them can be seen (net_plan.hpp).
template <typename Dtype>
class Net {
 public:
  explicit Net(const NetParameter& param);
  explicit Net(const string& param_file, Phase phase, const int level = 0,
               const vector<string>* stages = nullptr);
  virtual ~Net();

  void Init(const NetParameter& param);

  const vector<Blob<Dtype>*>& Forward(Dtype* loss = nullptr);
  const vector<Blob<Dtype>*>& ForwardPrefilled(Dtype* loss = nullptr) {
    return Forward(loss);
  }
  const vector<Blob<Dtype>*>& Forward(const vector<Blob<Dtype>*>& bottom,
                                      Dtype* loss = nullptr);
  /// Layers start..end inclusive; the weighted loss of what ran.
  Dtype ForwardFromTo(int start, int end);
  Dtype ForwardFrom(int start) {
    return ForwardFromTo(start, static_cast<int>(layers_.size()) - 1);
  }
  Dtype ForwardTo(int end) { return ForwardFromTo(0, end); }
  void Backward();
  void BackwardFromTo(int start, int end);
  void BackwardFrom(int start) { BackwardFromTo(start, 0); }
  void BackwardTo(int end) { BackwardFromTo(static_cast<int>(layers_.size()) - 1, end); }
  Dtype ForwardBackward();

  void Reshape();
  void ClearParamDiffs();
  void Update();
  /// Makes parameters of one name share memory with their owner.
  void ShareWeights();

  void ShareTrainedLayersWith(const Net* other);
  void CopyTrainedLayersFrom(const NetParameter& param);
  void CopyTrainedLayersFrom(const string& trained_filename);
  void CopyTrainedLayersFromBinaryProto(const string& trained_filename);
  void CopyTrainedLayersFromHDF5(const string& trained_filename);
  /// The report of the last CopyTrainedLayersFrom….
  const WeightReport& weight_report() const { return weight_report_; }
  void ToProto(NetParameter* param, bool write_diff = false) const;
  void ToHDF5(const string& filename, bool write_diff = false) const;

  const string& name() const { return name_; }
  const vector<string>& layer_names() const { return layer_names_; }
  const vector<string>& blob_names() const { return blob_names_; }
  const vector<shared_ptr<Blob<Dtype>>>& blobs() const { return blobs_; }
  const vector<shared_ptr<Layer<Dtype>>>& layers() const { return layers_; }
  Phase phase() const { return phase_; }
  const vector<vector<Blob<Dtype>*>>& bottom_vecs() const { return bottom_vecs_; }
  const vector<vector<Blob<Dtype>*>>& top_vecs() const { return top_vecs_; }
  const vector<int>& top_ids(int i) const { return Checked(top_id_vecs_, i); }
  const vector<int>& bottom_ids(int i) const { return Checked(bottom_id_vecs_, i); }
  const vector<vector<bool>>& bottom_need_backward() const {
    return bottom_need_backward_;
  }
  const vector<Dtype>& blob_loss_weights() const { return blob_loss_weights_; }
  const vector<bool>& layer_need_backward() const { return layer_need_backward_; }
  const vector<shared_ptr<Blob<Dtype>>>& params() const { return params_; }
  const vector<Blob<Dtype>*>& learnable_params() const { return learnable_params_; }
  const vector<float>& params_lr() const { return params_lr_; }
  const vector<bool>& has_params_lr() const { return has_params_lr_; }
  const vector<float>& params_weight_decay() const { return params_weight_decay_; }
  const vector<bool>& has_params_decay() const { return has_params_decay_; }
  const map<string, int>& param_names_index() const { return param_names_index_; }
  const vector<int>& param_owners() const { return param_owners_; }
  const vector<string>& param_display_names() const { return param_display_names_; }
  int num_inputs() const { return static_cast<int>(net_input_blobs_.size()); }
  int num_outputs() const { return static_cast<int>(net_output_blobs_.size()); }
  const vector<Blob<Dtype>*>& input_blobs() const { return net_input_blobs_; }
  const vector<Blob<Dtype>*>& output_blobs() const { return net_output_blobs_; }
  const vector<int>& input_blob_indices() const { return net_input_blob_indices_; }
  const vector<int>& output_blob_indices() const { return net_output_blob_indices_; }
  bool has_blob(const string& blob_name) const;
  const shared_ptr<Blob<Dtype>> blob_by_name(const string& blob_name) const;
  bool has_layer(const string& layer_name) const;
  const shared_ptr<Layer<Dtype>> layer_by_name(const string& layer_name) const;

  void set_debug_info(const bool value) { debug_info_ = value; }
  /// True if nobody asked to look between layers (callbacks, debug_info).
  bool RunsUnwatched() const {
    return !debug_info_ && before_forward_.empty() && after_forward_.empty() &&
           before_backward_.empty() && after_backward_.empty();
  }
  /// The definition after filtering and splitting, without weights.
  const NetParameter& definition() const { return definition_; }

  static void FilterNet(const NetParameter& param, NetParameter* param_filtered);
  static bool StateMeetsRule(const NetState& state, const NetStateRule& rule,
                             const string& layer_name);

  /// Runs before or after single layers. Not owned.
  class Callback {
   public:
    virtual ~Callback() = default;

   protected:
    virtual void run(int layer) = 0;
    template <typename T>
    friend class Net;
  };
  const vector<Callback*>& before_forward() const { return before_forward_; }
  void add_before_forward(Callback* value) { before_forward_.push_back(value); }
  const vector<Callback*>& after_forward() const { return after_forward_; }
  void add_after_forward(Callback* value) { after_forward_.push_back(value); }
  const vector<Callback*>& before_backward() const { return before_backward_; }
  void add_before_backward(Callback* value) { before_backward_.push_back(value); }
  const vector<Callback*>& after_backward() const { return after_backward_; }
  void add_after_backward(Callback* value) { after_backward_.push_back(value); }

  /// Called in backward when a layer, or the layers of a fused group, are done, with the
  /// lowest of their numbers: the gradients of it and all above are complete. Unlike a
  /// callback it leaves groups fused. Passes that are recorded or replayed on a device do
  /// not call it.
  void set_backward_progress(std::function<void(int)> function) {
    backward_progress_ = std::move(function);
  }

  /// The flow forks' number of the pass, which writers put into file names: the solver
  /// sets the iteration, in test nets the number of the batch. Where nobody set it, it is
  /// the number of forward passes from the first layer on that went before this one.
  void set_iter(int iter) {
    iter_ = iter;
    iter_is_set_ = true;
  }
  int iter() const { return iter_; }
  /// The iteration of the training that this net belongs to, for layers with schedules;
  /// iter() unless set (the solver sets it in test nets).
  void set_training_iter(int iter) { training_iter_ = iter; }
  int training_iter() const { return training_iter_ < 0 ? iter_ : training_iter_; }

 protected:
  friend class NetPlan<Dtype>;

  template <typename T>
  static const T& Checked(const vector<T>& list, int i) {
    CHECK_GE(i, 0) << "invalid layer id";
    CHECK_LT(i, list.size()) << "invalid layer id";
    return list[i];
  }

  // Construction (net_init.cpp), in the order of the steps.
  void WireLayer(const NetParameter& param, int layer_id, set<string>* available,
                 map<string, int>* blob_index);
  int AppendBottom(const NetParameter& param, int layer_id, int bottom_id,
                   set<string>* available, map<string, int>* blob_index);
  void AppendTop(const NetParameter& param, int layer_id, int top_id,
                 set<string>* available, map<string, int>* blob_index);
  void AppendAutomaticTops(int layer_id, LayerParameter* param);
  void AppendParam(const NetParameter& param, int layer_id, int param_id);
  void ResolveBackward(bool force_backward);
  string FindInPlaceConflict() const;

  // Running (net.cpp).
  Dtype ForwardLayer(int layer_id);
  Dtype RunLayers(int start, int end);
  Dtype RunOnDevice(bool backward);
  void CountPass();
  string DescribeLayer(int layer_id) const;
  void ForwardDebugInfo(int layer_id);
  void BackwardDebugInfo(int layer_id);
  void RefillLossWeights(int layer_id);
  size_t ShapeStamp(int layer_id) const;
  void CheckForwardRan(int layer_id) const;

  // Weights (net_weights.cpp).
  void CopyLayer(const LayerParameter& source, vector<string>* mismatches);
  void BeginWeightReport();
  void EndWeightReport(const string& source, const vector<string>& mismatches);
  void LoadNetFromHDF5(const string& filename);
  void SaveNetToHDF5(const string& filename, bool write_diff) const;

  string name_;
  Phase phase_ = TRAIN;
  NetParameter definition_;
  vector<shared_ptr<Layer<Dtype>>> layers_;
  vector<string> layer_names_;
  map<string, int> layer_names_index_;
  vector<bool> layer_need_backward_;
  vector<shared_ptr<Blob<Dtype>>> blobs_;
  vector<string> blob_names_;
  map<string, int> blob_names_index_;
  vector<bool> blob_need_backward_;
  vector<vector<Blob<Dtype>*>> bottom_vecs_;
  vector<vector<int>> bottom_id_vecs_;
  vector<vector<bool>> bottom_need_backward_;
  vector<vector<Blob<Dtype>*>> top_vecs_;
  vector<vector<int>> top_id_vecs_;
  vector<Dtype> blob_loss_weights_;
  vector<vector<int>> param_id_vecs_;
  vector<int> param_owners_;
  vector<string> param_display_names_;
  vector<pair<int, int>> param_layer_indices_;
  map<string, int> param_names_index_;
  vector<int> net_input_blob_indices_;
  vector<int> net_output_blob_indices_;
  vector<Blob<Dtype>*> net_input_blobs_;
  vector<Blob<Dtype>*> net_output_blobs_;
  vector<shared_ptr<Blob<Dtype>>> params_;
  vector<Blob<Dtype>*> learnable_params_;
  vector<int> learnable_param_ids_;
  vector<float> params_lr_;
  vector<bool> has_params_lr_;
  vector<float> params_weight_decay_;
  vector<bool> has_params_decay_;
  size_t memory_used_ = 0;
  bool debug_info_ = false;
  int iter_ = 0, passes_ = 0, training_iter_ = -1;
  bool iter_is_set_ = false;
  WeightReport weight_report_;
  std::unique_ptr<NetPlan<Dtype>> plan_;
  std::unique_ptr<NetRecorder<Dtype>> recorder_;
  string in_place_conflict_;  ///< why this net cannot run backward, or nothing
  vector<size_t>
      forward_stamps_;  ///< of the shapes at each layer's last forward; 0: none yet
  vector<Callback*> before_forward_;
  vector<Callback*> after_forward_;
  vector<Callback*> before_backward_;
  vector<Callback*> after_backward_;
  std::function<void(int)> backward_progress_;

  DISABLE_COPY_AND_ASSIGN(Net);
};

}  // namespace caffe

#endif  // CAFFE_NET_HPP_
