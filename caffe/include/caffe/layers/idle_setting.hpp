// Settings of a layer that change nothing: named in the log, once, when it is set up.
#ifndef CAFFE_LAYERS_IDLE_SETTING_HPP_
#define CAFFE_LAYERS_IDLE_SETTING_HPP_

#include <string>

#include "caffe/proto/caffe.pb.h"
#include "caffe/util/logging.hpp"

namespace caffe {

/// Warns "`where``setting` has no effect: `reason`". For what published nets may hold, so
/// that it cannot be an error, but who wrote it did not mean.
inline void warn_idle(const std::string& where, const std::string& setting,
                      const std::string& reason) {
  LOG(WARNING) << where << setting << " has no effect: " << reason;
}

/// The same for what the distribution of `random`, the value of `setting`, does not read.
void warn_idle_random(const std::string& where, const std::string& setting,
                      const RandomGeneratorParameter& random);

/// The same for all draws of an augmentation.
void warn_idle_draws(const std::string& where, const AugmentationParameter& param);

}  // namespace caffe

#endif  // CAFFE_LAYERS_IDLE_SETTING_HPP_
