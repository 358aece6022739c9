// narrow_rows.hpp for avx512.
#define CAFFE_NARROW_LANES 16
#include "narrow_rows_impl.hpp"

namespace caffe {

NarrowCode narrow_code_avx512() {
  return {kLanes, forward_any, backward_data_any, weight_gradient_any,
          depthwise_gradient};
}

}  // namespace caffe
