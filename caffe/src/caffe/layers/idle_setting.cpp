// Which settings of random draws change nothing.
#include "caffe/layers/idle_setting.hpp"

namespace caffe {

void warn_idle_random(const std::string& where, const std::string& setting,
                      const RandomGeneratorParameter& random) {
  const std::string& type = random.rand_type();
  if (type == "bernoulli") {
    const std::string reason = "rand_type \"bernoulli\" draws 0 or 1 by prob alone";
    if (random.mean() != 0) warn_idle(where, setting + ".mean", reason);
    if (random.spread() != 0) warn_idle(where, setting + ".spread", reason);
    if (random.exp()) warn_idle(where, setting + ".exp", reason);
    return;
  }
  if (random.spread() < 0) {
    warn_idle(where, setting + ".spread",
              "it is " + std::to_string(random.spread()) +
                  ", and only a spread above 0 makes the draw random");
  }
  if ((type == "uniform" || type == "gaussian") && random.prob() != 1) {
    warn_idle(where, setting + ".prob",
              "rand_type \"" + type + "\" always draws; \"" + type +
                  "_bernoulli\" draws with this probability");
  }
}

void warn_idle_draws(const std::string& where, const AugmentationParameter& param) {
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  param.GetReflection()->ListFields(param, &fields);
  for (const auto* field : fields) {
    if (field->message_type() != RandomGeneratorParameter::descriptor()) continue;
    const auto& random = static_cast<const RandomGeneratorParameter&>(
        param.GetReflection()->GetMessage(param, field));
    const std::string setting = "augmentation_param." + std::string(field->name());
    warn_idle_random(where, setting, random);
    const std::string& name = field->name();
    if (name.rfind("fog_", 0) == 0 || name.rfind("motion_blur_", 0) == 0) {
      warn_idle(where, setting,
                "fog and motion blur change no pixel, as in the original");
    }
  }
}

}  // namespace caffe
