// oneDNN 2.x and 3.x behind one set of functions, and what all its operators need here.
#ifndef CAFFE_BACKEND_ONEDNN_DNNL_COMPAT_HPP_
#define CAFFE_BACKEND_ONEDNN_DNNL_COMPAT_HPP_

#include <cstring>
#include <oneapi/dnnl/dnnl.hpp>
#include <type_traits>

#include "caffe/backend/conv_shape.hpp"
#include "caffe/util/blocked_layout.hpp"

namespace caffe {
namespace onednn {

using dnnl::memory;
using Dims = dnnl::memory::dims;
using Attributes = dnnl::primitive_attr;

inline const dnnl::engine& cpu_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

inline dnnl::stream& thread_stream() {
  static thread_local dnnl::stream stream(cpu_engine());
  return stream;
}

inline memory::desc desc(const Dims& dims, memory::format_tag tag) {
  return {dims, memory::data_type::f32, tag};
}

/// The activation layout that native_channel_block() stands for.
inline memory::format_tag blocked_tag() {
  return native_channel_block() == 16 ? memory::format_tag::nChw16c
                                      : memory::format_tag::nChw8c;
}

inline memory wrap(const memory::desc& d, const void* data) {
  return {d, cpu_engine(), const_cast<void*>(data)};
}

/// True for implementations that are of no use: reference code, which is slow, and what
/// is built on oneDNN's matrix product. With many terms that one points the stack into
/// memory of the heap; a signal that comes then writes its frame over what lies before.
template <typename PrimitiveDesc>
bool is_unfit(const PrimitiveDesc& pd) {
  const char* name = pd.impl_info_str();
  return std::strncmp(name, "ref", 3) == 0 || std::strncmp(name, "simple", 6) == 0 ||
         std::strncmp(name, "lrn_ref", 7) == 0 ||
         std::strstr(name, "gemm:jit") != nullptr;
}

/// True for a layout that holds the numbers themselves, in whatever order; Winograd's may
/// hold transformed ones.
inline bool is_reordered_only(const memory::desc& d) {
#if DNNL_VERSION_MAJOR >= 3
  return d.get_format_kind() == memory::format_kind::blocked;
#else
  return d.data.format_kind == dnnl_blocked && d.data.extra.flags == 0;
#endif
}

/// Geometry and algorithm of one convolution, in oneDNN's terms (dilation 0 is dense).
struct ConvDescs {
  dnnl::algorithm algorithm;
  memory::desc src, weights, bias, dst;  ///< an empty bias: none
  Dims strides, dilates, padding_l, padding_r;
};

/// The three primitives of a convolution or a deconvolution.
template <bool kTransposed>
struct ConvPrimitives {
  using Forward = std::conditional_t<kTransposed, dnnl::deconvolution_forward,
                                     dnnl::convolution_forward>;
  using BackwardData = std::conditional_t<kTransposed, dnnl::deconvolution_backward_data,
                                          dnnl::convolution_backward_data>;
  using BackwardWeights =
      std::conditional_t<kTransposed, dnnl::deconvolution_backward_weights,
                         dnnl::convolution_backward_weights>;
};

#if DNNL_VERSION_MAJOR >= 3

template <typename Forward>
typename Forward::primitive_desc forward_desc(const ConvDescs& d,
                                              const Attributes& attr) {
  return {cpu_engine(), dnnl::prop_kind::forward_training,
          d.algorithm,  d.src,
          d.weights,    d.bias,
          d.dst,        d.strides,
          d.dilates,    d.padding_l,
          d.padding_r,  attr};
}

template <typename Backward, typename Hint>
typename Backward::primitive_desc backward_data_desc(const ConvDescs& d, const Hint& hint,
                                                     const Attributes& attr) {
  return {cpu_engine(), d.algorithm, d.src,       d.weights, d.dst, d.strides,
          d.dilates,    d.padding_l, d.padding_r, hint,      attr};
}

template <typename Backward, typename Hint>
typename Backward::primitive_desc backward_weights_desc(const ConvDescs& d,
                                                        const Hint& hint,
                                                        const Attributes& attr) {
  return {cpu_engine(), d.algorithm, d.src,       d.weights,   d.bias, d.dst,
          d.strides,    d.dilates,   d.padding_l, d.padding_r, hint,   attr};
}

inline void append_eltwise(dnnl::post_ops* ops, dnnl::algorithm algorithm, float alpha,
                           float beta) {
  ops->append_eltwise(algorithm, alpha, beta);
}

#else

template <typename Forward>
typename Forward::primitive_desc forward_desc(const ConvDescs& d,
                                              const Attributes& attr) {
  const typename Forward::desc op(dnnl::prop_kind::forward_training, d.algorithm, d.src,
                                  d.weights, d.bias, d.dst, d.strides, d.dilates,
                                  d.padding_l, d.padding_r);
  return {op, attr, cpu_engine()};
}

template <typename Backward, typename Hint>
typename Backward::primitive_desc backward_data_desc(const ConvDescs& d, const Hint& hint,
                                                     const Attributes& attr) {
  const typename Backward::desc op(d.algorithm, d.src, d.weights, d.dst, d.strides,
                                   d.dilates, d.padding_l, d.padding_r);
  return {op, attr, cpu_engine(), hint};
}

template <typename Backward, typename Hint>
typename Backward::primitive_desc backward_weights_desc(const ConvDescs& d,
                                                        const Hint& hint,
                                                        const Attributes& attr) {
  const typename Backward::desc op(d.algorithm, d.src, d.weights, d.bias, d.dst,
                                   d.strides, d.dilates, d.padding_l, d.padding_r);
  return {op, attr, cpu_engine(), hint};
}

inline void append_eltwise(dnnl::post_ops* ops, dnnl::algorithm algorithm, float alpha,
                           float beta) {
  ops->append_eltwise(1.f, algorithm, alpha, beta);
}

#endif

/// Attributes of every primitive here: the caller brings the scratch memory.
inline Attributes user_scratch() {
  Attributes attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

/// Weights as Caffe stores them.
inline memory::desc plain_weights(const ConvShape& s) {
  const memory::dim o = s.num_output, i = s.channels, h = s.kernel[0], w = s.kernel[1];
  using T = memory::format_tag;
  if (s.group == 1) return desc({o, i, h, w}, s.transposed ? T::iohw : T::oihw);
  const memory::dim g = s.group;
  return desc({g, o / g, i / g, h, w}, s.transposed ? T::giohw : T::goihw);
}

}  // namespace onednn
}  // namespace caffe

#endif  // CAFFE_BACKEND_ONEDNN_DNNL_COMPAT_HPP_
