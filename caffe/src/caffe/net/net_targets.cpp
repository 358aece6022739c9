// Asks the layers of a net for targets that they are not defined for.
#include "caffe/net_targets.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>

#include "caffe/layers/accuracy_layer.hpp"
#include "caffe/layers/loss_layer.hpp"

namespace caffe {

namespace {

template <typename Dtype>
void check_targets_of(const Layer<Dtype>& layer, const vector<Blob<Dtype>*>& bottom) {
  if (const auto* loss = dynamic_cast<const LossLayer<Dtype>*>(&layer)) {
    loss->CheckTargets(bottom);
  } else if (const auto* score = dynamic_cast<const AccuracyLayer<Dtype>*>(&layer)) {
    score->CheckTargets(bottom);
  }
}

template <typename Dtype>
string described(const Net<Dtype>& net, size_t i) {
  const LayerParameter& param = net.layers()[i]->layer_param();
  std::ostringstream text;
  text << "layer '" << param.name() << "' (" << param.type() << ")";
  for (size_t b = 0; b < net.bottom_vecs()[i].size(); ++b) {
    const int id = net.bottom_ids(static_cast<int>(i))[b];
    text << (b ? ", '" : ", bottom '") << net.blob_names()[id] << "' "
         << net.bottom_vecs()[i][b]->shape_string();
  }
  return text.str();
}

}  // namespace

template <typename Dtype>
void check_targets(const Net<Dtype>& net) {
  for (size_t i = 0; i < net.layers().size(); ++i) {
    const vector<Blob<Dtype>*>& bottom = net.bottom_vecs()[i];
    if (std::any_of(bottom.begin(), bottom.end(), [](const Blob<Dtype>* blob) {
          return !blob->data() || blob->data()->released();
        })) {
      continue;
    }
    try {
      check_targets_of(*net.layers()[i], bottom);
    } catch (Error& error) {
      error.AddContext(described(net, i));
      throw;
    }
  }
}

template <typename Dtype>
void check_results(const Net<Dtype>& net, const vector<Blob<Dtype>*>& results) {
  for (const Blob<Dtype>* result : results) {
    const Dtype* data = result->cpu_data();
    if (std::any_of(data, data + result->count(),
                    [](Dtype value) { return std::isnan(value); })) {
      check_targets(net);
      return;
    }
  }
}

template void check_targets(const Net<float>&);
template void check_targets(const Net<double>&);
template void check_results(const Net<float>&, const vector<Blob<float>*>&);
template void check_results(const Net<double>&, const vector<Blob<double>*>&);

}  // namespace caffe
