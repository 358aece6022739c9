// Swish over whichever layout its input is in.
#include "caffe/layers/swish_layer.hpp"

#include "caffe/backend/elementwise.hpp"
#include "caffe/util/vector_math.hpp"

namespace caffe {

namespace {

constexpr std::int64_t kPiece = 1024;

// Calls use(begin, count, s) with s = sigmoid(beta x) for pieces of x, threaded.
template <typename Dtype, typename Use>
void WithSigmoids(std::int64_t count, const Dtype* x, Dtype beta, const Use& use) {
  parallel_ranges(count, 4 * kPiece, [&](std::int64_t first, std::int64_t last) {
    const Use local(use);
    Dtype s[kPiece] = {};
    for (std::int64_t begin = first; begin < last; begin += kPiece) {
      const std::int64_t length = std::min(kPiece, last - begin);
      for (std::int64_t i = 0; i < length; ++i) s[i] = beta * x[begin + i];
      vector_sigmoid(length, s, s);
      local(begin, length, s);
    }
  });
}

}  // namespace

template <typename Dtype>
void SwishLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                    const vector<Blob<Dtype>*>& top) {
  const Dtype beta = this->layer_param_.swish_param().beta();
  const bool in_place = bottom[0] == top[0];
  if (in_place) sigmoid_.ReshapeLike(*bottom[0]);
  const auto pass = forward_pass(*bottom[0], top[0]);
  const Dtype* x = pass.in[0];
  Dtype* y = pass.out;
  Dtype* kept =
      in_place ? overwrite_memory<Dtype>(sigmoid_.data().get(), pass.layout) : nullptr;
  WithSigmoids(pass.count, x, beta,
               [=](std::int64_t begin, std::int64_t count, const Dtype* s) {
                 for (std::int64_t i = 0; i < count; ++i)
                   y[begin + i] = x[begin + i] * s[i];
                 if (kept != nullptr) std::copy_n(s, count, kept + begin);
               });
}

template <typename Dtype>
void SwishLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>& top,
                                     const vector<bool>& propagate_down,
                                     const vector<Blob<Dtype>*>& bottom) {
  if (!propagate_down[0]) return;
  const Dtype beta = this->layer_param_.swish_param().beta();
  const auto pass = backward_pass(*top[0], *bottom[0], bottom[0]);
  const Dtype *g = pass.in[0], *x = pass.in[1];
  Dtype* dx = pass.out;
  if (bottom[0] == top[0]) {  // x is y
    const Dtype* s = read_memory<Dtype>(sigmoid_.data().get(), pass.layout);
    for_each_index(pass.count, [=](std::int64_t i) {
      dx[i] = g[i] * (beta * x[i] + s[i] * (1 - beta * x[i]));
    });
    return;
  }
  WithSigmoids(pass.count, x, beta,
               [=](std::int64_t begin, std::int64_t count, const Dtype* s) {
                 for (std::int64_t i = 0; i < count; ++i) {
                   const Dtype y = x[begin + i] * s[i];
                   dx[begin + i] = g[begin + i] * (beta * y + s[i] * (1 - beta * y));
                 }
               });
}

INSTANTIATE_CLASS(SwishLayer);
REGISTER_LAYER_CLASS(Swish);

}  // namespace caffe
