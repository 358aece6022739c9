// AugmentationCoefficients: values and the vector that blobs hold.
#include "caffe/layers/augmentation_coefficients.hpp"

#include <cmath>

#include "caffe/proto/caffe.pb.h"
#include "caffe/util/logging.hpp"

namespace caffe {

namespace {

using Values = AugmentationCoefficients<double>;

const double* begin_of(const Values& values) { return &values.mirror; }
double* begin_of(Values* values) { return &values->mirror; }

const double* defaults() {
  static const Values values;
  return begin_of(values);
}

}  // namespace

StoredAugmentation stored_augmentation(const Values& values) {
  StoredAugmentation stored;
  for (int k = 0; k < kAugmentationCoefficients; ++k) {
    const double value = begin_of(values)[k];
    if (defaults()[k] == 0) {
      stored[k] = value;
      continue;
    }
    CHECK_VALUE(!(value < 0))
        << "the augmentation coefficient "
        << AugmentationCoeff::descriptor()->field(k)->name() << " was drawn as " << value
        << "; it is a factor or a power and cannot be "
        << "negative: draw it with \"exp: true\" or with a smaller spread";
    stored[k] = std::log(value);
  }
  return stored;
}

Values augmentation_from(const StoredAugmentation& stored) {
  Values values;
  for (int k = 0; k < kAugmentationCoefficients; ++k) {
    begin_of(&values)[k] = defaults()[k] == 0 ? stored[k] : std::exp(stored[k]);
  }
  return values;
}

Values snapped(const Values& values) {
  Values result = values;
  for (int k = 0; k < kAugmentationCoefficients; ++k) {
    double& value = begin_of(&result)[k];
    if (std::fabs(value - defaults()[k]) < 1e-3) value = defaults()[k];
  }
  return result;
}

bool changes(const Values& values, AugmentationGroup group) {
  return !std::equal(begin_of(values) + group.first, begin_of(values) + group.end,
                     defaults() + group.first);
}

}  // namespace caffe
