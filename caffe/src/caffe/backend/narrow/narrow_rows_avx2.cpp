// narrow_rows.hpp for avx2.
#define CAFFE_NARROW_LANES 8
#include "narrow_rows_impl.hpp"

namespace caffe {

NarrowCode narrow_code_avx2() {
  return {kLanes, forward_any, backward_data_any, weight_gradient_any,
          depthwise_gradient};
}

}  // namespace caffe
