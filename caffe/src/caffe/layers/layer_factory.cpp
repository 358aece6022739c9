// The layer registry.
#include "caffe/layer_factory.hpp"

#include "caffe/layer.hpp"
#include "caffe/util/edit_distance.hpp"

namespace caffe {

template <typename Dtype>
typename LayerRegistry<Dtype>::CreatorRegistry& LayerRegistry<Dtype>::Registry() {
  static CreatorRegistry registry;
  return registry;
}

template <typename Dtype>
void LayerRegistry<Dtype>::AddCreator(const string& type, Creator creator) {
  CHECK_EQ(Registry().count(type), 0u) << "layer type " << type << " is registered twice";
  Registry()[type] = creator;
}

template <typename Dtype>
shared_ptr<Layer<Dtype>> LayerRegistry<Dtype>::CreateLayer(const LayerParameter& param) {
  const CreatorRegistry& registry = Registry();
  const auto found = registry.find(param.type());
  if (found != registry.end()) return found->second(param);

  const vector<string> types = LayerTypeList();
  std::ostringstream hint;
  const vector<string> near = nearest_names(param.type(), types, 3);
  if (!near.empty()) {
    hint << "; did you mean";
    for (size_t i = 0; i < near.size(); ++i) hint << (i ? ", " : " ") << near[i];
    hint << "?";
  }
  if (param.type() == "Python") {
    hint << " (Python layers need the net to be made from Python: import caffe)";
  }
  std::ostringstream known;
  for (size_t i = 0; i < types.size(); ++i) known << (i ? ", " : "") << types[i];
  CAFFE_THROW(kValue) << "layer '" << param.name() << "': unknown layer type '"
                      << param.type() << "'" << hint.str()
                      << " (known types: " << known.str() << ")";
}

template <typename Dtype>
vector<string> LayerRegistry<Dtype>::LayerTypeList() {
  vector<string> types;
  for (const auto& entry : Registry()) types.push_back(entry.first);
  return types;
}

template class LayerRegistry<float>;
template class LayerRegistry<double>;

}  // namespace caffe
