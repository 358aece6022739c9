// Learned layers that no gradient reaches, because a fixed layer on the way holds only
// zeros.
#include <algorithm>
#include <set>

#include "caffe/solver.hpp"

namespace caffe {

namespace {

/// The layer multiplies its bottom by a blob of its own that is all zero and stays so.
template <typename Dtype>
bool BlocksGradients(Layer<Dtype>* layer) {
  static const std::set<string> linear = {"Convolution", "Deconvolution", "InnerProduct",
                                          "Scale"};
  if (linear.count(layer->type()) == 0 || layer->blobs().empty()) return false;
  return !layer->param_propagate_down(0) && layer->blobs()[0]->asum_data() == Dtype(0);
}

template <typename Dtype>
bool Learns(Layer<Dtype>* layer) {
  for (size_t i = 0; i < layer->blobs().size(); ++i) {
    if (layer->param_propagate_down(static_cast<int>(i))) return true;
  }
  return false;
}

}  // namespace

/// From the last layer to the first: which blobs have a gradient that can differ from
/// zero.
template <typename Dtype>
vector<string> Solver<Dtype>::LayersWithoutGradient() const {
  vector<string> names;
  std::set<int> reached;
  for (int i = static_cast<int>(net_->layers().size()) - 1; i >= 0; --i) {
    Layer<Dtype>* layer = net_->layers()[i].get();
    if (!net_->layer_need_backward()[i]) continue;
    bool has_gradient = false;
    for (size_t t = 0; t < net_->top_ids(i).size(); ++t) {
      has_gradient |= layer->loss(static_cast<int>(t)) != Dtype(0) ||
                      reached.count(net_->top_ids(i)[t]) > 0;
    }
    const bool passes = has_gradient && !BlocksGradients(layer);
    for (size_t b = 0; b < net_->bottom_ids(i).size(); ++b) {
      if (!net_->bottom_need_backward()[i][b]) continue;
      if (passes) {
        reached.insert(net_->bottom_ids(i)[b]);
      } else if (std::count(net_->top_ids(i).begin(), net_->top_ids(i).end(),
                            net_->bottom_ids(i)[b]) > 0) {
        reached.erase(net_->bottom_ids(i)[b]);  // a blocking layer in place
      }
    }
    if (!has_gradient && Learns(layer))
      names.insert(names.begin(), net_->layer_names()[i]);
  }
  return names;
}

template <typename Dtype>
void Solver<Dtype>::WarnOfBlockedGradients() {
  if (gradients_checked_) return;
  gradients_checked_ = true;
  const vector<string> names = LayersWithoutGradient();
  if (names.empty()) return;
  std::ostringstream list;
  for (size_t i = 0; i < names.size(); ++i) list << (i ? ", " : "") << names[i];
  LOG(WARNING)
      << "These layers are to learn, but every path from them to a loss leads through "
         "a layer that is fixed (lr_mult: 0) and holds only zeros: "
      << list.str() << ". Give that layer a filler or weights.";
}

template vector<string> Solver<float>::LayersWithoutGradient() const;
template vector<string> Solver<double>::LayersWithoutGradient() const;
template void Solver<float>::WarnOfBlockedGradients();
template void Solver<double>::WarnOfBlockedGradients();

}  // namespace caffe
