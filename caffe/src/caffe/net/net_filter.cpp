// Which layers of a definition belong to a net of a given phase, level and stages.
#include <algorithm>

#include "caffe/net.hpp"

namespace caffe {

template <typename Dtype>
void Net<Dtype>::FilterNet(const NetParameter& param, NetParameter* param_filtered) {
  const NetState& state = param.state();
  *param_filtered = param;
  param_filtered->clear_layer();
  for (const LayerParameter& layer : param.layer()) {
    CHECK(layer.include_size() == 0 || layer.exclude_size() == 0)
        << "layer '" << layer.name()
        << "': specify either include rules or exclude rules, not both";
    const auto meets = [&](const NetStateRule& rule) {
      return StateMeetsRule(state, rule, layer.name());
    };
    const bool included =
        layer.include_size() == 0
            ? std::none_of(layer.exclude().begin(), layer.exclude().end(), meets)
            : std::any_of(layer.include().begin(), layer.include().end(), meets);
    if (included) *param_filtered->add_layer() = layer;
  }
}

template <typename Dtype>
bool Net<Dtype>::StateMeetsRule(const NetState& state, const NetStateRule& rule,
                                const string& layer_name) {
  const auto has_stage = [&state](const string& stage) {
    return std::find(state.stage().begin(), state.stage().end(), stage) !=
           state.stage().end();
  };
  const auto miss = [&layer_name](const char* why) {
    LOG(INFO) << "The NetState did not meet a rule of layer " << layer_name << ": "
              << why;
    return false;
  };
  if (rule.has_phase() && rule.phase() != state.phase()) return miss("phase");
  if (rule.has_min_level() && state.level() < rule.min_level()) return miss("min_level");
  if (rule.has_max_level() && state.level() > rule.max_level()) return miss("max_level");
  for (const string& stage : rule.stage()) {
    if (!has_stage(stage)) return miss("stage");
  }
  for (const string& stage : rule.not_stage()) {
    if (has_stage(stage)) return miss("not_stage");
  }
  return true;
}

template void Net<float>::FilterNet(const NetParameter&, NetParameter*);
template void Net<double>::FilterNet(const NetParameter&, NetParameter*);
template bool Net<float>::StateMeetsRule(const NetState&, const NetStateRule&,
                                         const string&);
template bool Net<double>::StateMeetsRule(const NetState&, const NetStateRule&,
                                          const string&);

}  // namespace caffe
