// Splitting the factors of a product, and the three products of their parts.
#include <climits>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "caffe/device/launch.hpp"
#include "caffe/device/scratch.hpp"
#include "caffe/device/split_product.hpp"
#include "caffe/util/logging.hpp"

namespace caffe {
namespace device {

namespace {

struct Split {
  const float* x;
  float *high, *low;
  CAFFE_HD void operator()(int i) const {
    const float value = x[i];
    std::uint32_t bits;
    memcpy(&bits, &value, sizeof(bits));
    const bool finite = (bits & 0x7f800000u) != 0x7f800000u;
    if (finite) bits &= 0xffffe000u;
    float first;
    memcpy(&first, &bits, sizeof(first));
    high[i] = first;
    low[i] = finite ? value - first : 0.f;
  }
};

/// The numbers that `batch` matrices of `rows` rows `row` apart span.
std::int64_t span_of(int rows, int columns, int row, int batch, std::int64_t stride) {
  return (batch - 1) * stride + std::int64_t{rows - 1} * row + columns;
}

/// A factor's two parts, laid out as it is.
class Parts {
 public:
  Parts(const float* factor, std::int64_t count)
      : memory_(sizeof(float) * 2 * static_cast<std::size_t>(count)),
        high_(memory_.as<float>()),
        low_(high_ + count) {
    CHECK_LE(count, INT_MAX) << "numbers in a factor of a product";
    split(static_cast<int>(count), factor, high_, low_);
  }
  const float* high() const { return high_; }
  const float* low() const { return low_; }

 private:
  Scratch memory_;
  float *high_, *low_;
};

}  // namespace

void split(int n, const float* x, float* high, float* low) {
  launch(n, Split{x, high, low});
}

void split_gemm(const Gemm<float>& product) {
  Gemm<float> p = product;
  if (p.m == 0 || p.n == 0 || p.k == 0 || p.batch == 0) {
    gemm(p);
    return;
  }
  const Parts a(p.a, p.transpose_a ? span_of(p.k, p.m, p.lda(), p.batch, p.stride_a)
                                   : span_of(p.m, p.k, p.lda(), p.batch, p.stride_a));
  const Parts b(p.b, p.transpose_b ? span_of(p.n, p.k, p.ldb(), p.batch, p.stride_b)
                                   : span_of(p.k, p.n, p.ldb(), p.batch, p.stride_b));
  p.on_tensor_cores = true;
  p.a = a.low(), p.b = b.high();
  gemm(p);
  p.beta = 1;
  p.a = a.high(), p.b = b.low();
  gemm(p);
  p.b = b.high();
  gemm(p);
}

bool split_products_wanted() {
  const char* value = std::getenv("CAFFE_SPLIT_TF32");
  return value != nullptr && std::strcmp(value, "1") == 0;
}

}  // namespace device
}  // namespace caffe
