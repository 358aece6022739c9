// The oneDNN convolution kernel: its primitives, and weights packed for them.
#ifndef CAFFE_BACKEND_ONEDNN_ONEDNN_CONVOLUTION_HPP_
#define CAFFE_BACKEND_ONEDNN_ONEDNN_CONVOLUTION_HPP_

#include <memory>
#include <string>
#include <vector>

#include "caffe/backend/convolution.hpp"
#include "caffe/backend/scratch.hpp"
#include "caffe/packed_contents.hpp"
#include "dnnl_compat.hpp"

namespace caffe {
namespace onednn {

/// Weights in a primitive's own order.
class PackedWeights : public PackedContents {
 public:
  PackedWeights(const memory::desc& plain, const memory::desc& packed);
  void* data() const { return buffer_.data(); }
  void Pack(const float* weights);
  void Unpack(void* weights) const override;
  /// Whether Unpack gives back every bit: the order differs from Caffe's and nothing else
  /// (Winograd's weights may be transformed).
  bool is_exact() const { return is_exact_; }

 private:
  memory::desc plain_, packed_;
  bool is_exact_;
  HostBuffer buffer_;
};

/// One shape; backward primitives are made when they are first asked for.
template <bool kTransposed>
class Convolution : public ConvolutionKernel {
 public:
  explicit Convolution(const ConvShape& shape);
  /// False where oneDNN has reference code only.
  bool usable() const { return !variants_.empty(); }

  std::string name() const override;
  bool Accepts(const Epilogue<float>&) const override { return true; }
  void Forward(const Blob<float>& bottom, const ConvParameters& parameters,
               const Epilogue<float>& epilogue, Blob<float>* top) override;
  bool BackwardData(const Blob<float>& top, const ConvParameters& parameters,
                    const Epilogue<float>& epilogue, Blob<float>* bottom) override;
  bool BackwardWeights(const Blob<float>& bottom, const Blob<float>& top,
                       float* weights_diff, float* bias_diff) override;

 private:
  using Forward_ = typename ConvPrimitives<kTransposed>::Forward;
  using BackwardData_ = typename ConvPrimitives<kTransposed>::BackwardData;
  using BackwardWeights_ = typename ConvPrimitives<kTransposed>::BackwardWeights;
  using DataDesc = typename BackwardData_::primitive_desc;
  using WeightsDesc = typename BackwardWeights_::primitive_desc;

  /// How an addend is added: by the primitive from its own memory, or already lying in
  /// top.
  enum class AddendMode { kNone, kBinary, kSum };

  /// A forward primitive: what was asked of it, and how much of that it does itself.
  struct Variant {
    typename Forward_::primitive_desc pd;
    Forward_ primitive;
    Activation activation, asked_activation;
    AddendMode addend = AddendMode::kNone, asked_addend = AddendMode::kNone;
    bool with_bias = false, asked = false;
  };
  /// Weights (with the epilogue's scale folded in), and the folded bias.
  struct Packed {
    memory::desc desc;
    std::shared_ptr<PackedWeights> weights;  ///< the blob may hold it too
    std::vector<float> bias;
    std::uint64_t version = 0;
    bool is_current = false;
  };
  struct WeightsGradient {
    bool chosen = false;
    std::unique_ptr<WeightsDesc> pd;
    BackwardWeights_ primitive;
  };

  memory::desc SourceDesc() const;
  memory::desc DestinationDesc() const;
  ConvDescs Descs(dnnl::algorithm algorithm, bool with_bias) const;
  Variant* TryForward(const Activation& activation, AddendMode addend, bool with_bias);
  const Variant& FindVariant(const Activation& activation, AddendMode addend,
                             bool with_bias);
  const Packed& Pack(const memory::desc& wanted, const ConvParameters& parameters,
                     const Epilogue<float>& epilogue);
  const typename Forward_::primitive_desc& Hint(dnnl::algorithm algorithm);
  template <typename PrimitiveDesc, typename Make>
  std::unique_ptr<PrimitiveDesc> FirstFast(const Make& make);

  ConvShape shape_;
  bool source_is_blocked_ = true;
  dnnl::algorithm algorithm_ = dnnl::algorithm::undef;
  std::vector<std::unique_ptr<Variant>> variants_;
  std::vector<std::unique_ptr<Packed>> packed_;
  std::unique_ptr<typename Forward_::primitive_desc> direct_hint_;
  bool backward_data_chosen_ = false;
  std::unique_ptr<DataDesc> data_pd_;
  BackwardData_ data_primitive_;
  WeightsGradient gradient_, gradient_with_bias_;
};

}  // namespace onednn
}  // namespace caffe

#endif  // CAFFE_BACKEND_ONEDNN_ONEDNN_CONVOLUTION_HPP_
