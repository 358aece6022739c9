// Convolutions and deconvolutions on oneDNN.
//
// Activations are channel-blocked (nChw16c, nChw8c), but sources of a few channels
// row-major. 3x3 stride 1 over 1000 positions and more runs as Winograd where the library
// has it. All is created as forward_training: inference Winograd wants weights four times
// as large and slow to pack. Weights are packed once a version of the parameters.
#include "onednn_convolution.hpp"

#include "caffe/backend/scratch.hpp"
#include "caffe/util/parallel_for.hpp"

namespace caffe {
namespace onednn {

namespace {

constexpr std::int64_t kWinogradPositions = 1000;
constexpr int kWinogradChannels = 32;
constexpr int kRowMajorChannels = 8;  // sources of this many channels stay row-major

bool suits_winograd(const ConvShape& s) {
  const auto all = [](const std::vector<int>& v, int value) {
    return v[0] == value && v[1] == value;
  };
  return !s.transposed && s.group == 1 && all(s.kernel, 3) && all(s.stride, 1) &&
         all(s.dilation, 1) && all(s.pad, 1) &&
         std::min(s.channels, s.num_output) >= kWinogradChannels &&
         s.num * s.output_positions() >= kWinogradPositions;
}

Dims item_dims(int num, int channels, const std::vector<int>& size) {
  return {num, channels, size[0], size[1]};
}

// Largest of several pieces of one scratch buffer, each on its own cache line.
class ScratchPieces {
 public:
  std::size_t Add(std::size_t bytes) {
    const std::size_t at = total_;
    total_ += (bytes + 63) / 64 * 64;
    return at;
  }
  void Allocate() { base_ = static_cast<char*>(scratch_memory(total_)); }
  float* At(std::size_t offset) const { return reinterpret_cast<float*>(base_ + offset); }

 private:
  std::size_t total_ = 0;
  char* base_ = nullptr;
};

void add_to(const float* from, std::int64_t count, float* to) {
  for_each_index(count, [from, to](std::int64_t i) { to[i] += from[i]; });
}

/// The blob may leave its only copy in `packed`: nobody else has its memory.
void hand_over(const Blob<float>& blob, const std::shared_ptr<PackedWeights>& packed) {
  const bool is_whole = blob.data()->size() == blob.count() * sizeof(float);
  if (packed->is_exact() && is_whole && blob.data().use_count() == 1) {
    blob.data()->KeepPackedOnly(packed);
  }
}

}  // namespace

PackedWeights::PackedWeights(const memory::desc& plain, const memory::desc& packed)
    : plain_(plain), packed_(packed), is_exact_(is_reordered_only(packed)) {
  buffer_.Need(packed.get_size());
}

void PackedWeights::Pack(const float* weights) {
  memory from = wrap(plain_, weights);
  memory to = wrap(packed_, buffer_.data());
  dnnl::reorder(from, to).execute(thread_stream(), from, to);
  thread_stream().wait();
}

void PackedWeights::Unpack(void* weights) const {
  memory from = wrap(packed_, buffer_.data());
  memory to = wrap(plain_, weights);
  dnnl::reorder(from, to).execute(thread_stream(), from, to);
  thread_stream().wait();
}

template <bool kTransposed>
Convolution<kTransposed>::Convolution(const ConvShape& shape) : shape_(shape) {
  const bool few = shape.channels <= kRowMajorChannels && shape.group == 1;
  using Choice = std::pair<bool, dnnl::algorithm>;
  std::vector<Choice> choices;
  const auto direct = kTransposed ? dnnl::algorithm::deconvolution_direct
                                  : dnnl::algorithm::convolution_direct;
  if (suits_winograd(shape)) {
    choices.push_back({true, dnnl::algorithm::convolution_winograd});
  }
  choices.push_back({!few, direct});
  choices.push_back({few, direct});
  for (const Choice& choice : choices) {
    source_is_blocked_ = choice.first;
    algorithm_ = choice.second;
    if (TryForward({}, AddendMode::kNone, shape.has_bias)) return;
  }
}

template <bool kTransposed>
std::string Convolution<kTransposed>::name() const {
  return std::string("onednn ") + variants_[0]->pd.impl_info_str();
}

template <bool kTransposed>
memory::desc Convolution<kTransposed>::SourceDesc() const {
  return desc(item_dims(shape_.num, shape_.channels, shape_.input),
              source_is_blocked_ ? blocked_tag() : memory::format_tag::nchw);
}

template <bool kTransposed>
memory::desc Convolution<kTransposed>::DestinationDesc() const {
  return desc(item_dims(shape_.num, shape_.num_output, shape_.output), blocked_tag());
}

template <bool kTransposed>
ConvDescs Convolution<kTransposed>::Descs(dnnl::algorithm algorithm,
                                          bool with_bias) const {
  ConvDescs d;
  d.algorithm = algorithm;
  d.src = SourceDesc();
  d.dst = DestinationDesc();
  const memory::desc plain = plain_weights(shape_);
#if DNNL_VERSION_MAJOR >= 3
  d.weights = desc(plain.get_dims(), memory::format_tag::any);
#else
  d.weights = desc(plain.dims(), memory::format_tag::any);
#endif
  if (with_bias) d.bias = desc({shape_.num_output}, memory::format_tag::x);
  for (int axis = 0; axis < 2; ++axis) {
    const int extent = shape_.dilation[axis] * (shape_.kernel[axis] - 1) + 1;
    d.strides.push_back(shape_.stride[axis]);
    d.dilates.push_back(shape_.dilation[axis] - 1);
    d.padding_l.push_back(shape_.pad[axis]);
    d.padding_r.push_back((shape_.map()[axis] - 1) * shape_.stride[axis] + extent -
                          shape_.image()[axis] - shape_.pad[axis]);
  }
  return d;
}

template <bool kTransposed>
typename Convolution<kTransposed>::Variant* Convolution<kTransposed>::TryForward(
    const Activation& activation, AddendMode addend, bool with_bias) {
  Attributes attr = user_scratch();
  dnnl::post_ops ops;
  if (addend == AddendMode::kSum) ops.append_sum(1.f);
  if (addend == AddendMode::kBinary) {
    ops.append_binary(dnnl::algorithm::binary_add, DestinationDesc());
  }
  if (activation.kind == Activation::kReLU) {
    append_eltwise(&ops, dnnl::algorithm::eltwise_relu, activation.slope, 0.f);
  } else if (activation.kind == Activation::kClip) {
    append_eltwise(&ops, dnnl::algorithm::eltwise_clip, activation.lower,
                   activation.upper);
  }
  if (ops.len() > 0) attr.set_post_ops(ops);
  try {
    auto pd = forward_desc<Forward_>(Descs(algorithm_, with_bias), attr);
    if (is_unfit(pd)) return nullptr;
    auto variant = std::make_unique<Variant>();
    variant->pd = pd;
    variant->primitive = Forward_(pd);
    variant->activation = activation;
    variant->addend = addend;
    variant->with_bias = with_bias;
    variants_.push_back(std::move(variant));
    return variants_.back().get();
  } catch (const dnnl::error& error) {
    if (error.status != dnnl_unimplemented && error.status != dnnl_invalid_arguments)
      throw;
    return nullptr;
  }
}

template <bool kTransposed>
const typename Convolution<kTransposed>::Variant& Convolution<kTransposed>::FindVariant(
    const Activation& activation, AddendMode addend, bool with_bias) {
  for (const auto& v : variants_) {
    if (v->asked_activation == activation && v->asked_addend == addend &&
        v->with_bias == with_bias && v->asked) {
      return *v;
    }
  }
  // A deconvolution takes twice the time with any activation behind it: run that by
  // itself. A clip that does not keep 0 would spoil the lanes beyond the last channel.
  const bool keeps_zero = activation.kind != Activation::kClip ||
                          (activation.lower <= 0 && activation.upper >= 0);
  Variant* found = nullptr;
  if (!kTransposed && keeps_zero) found = TryForward(activation, addend, with_bias);
  if (found == nullptr) found = TryForward({}, addend, with_bias);
  if (found == nullptr) found = TryForward({}, AddendMode::kNone, with_bias);
  CHECK(found != nullptr) << "oneDNN has no such convolution any more";
  found->asked = true;
  found->asked_activation = activation;
  found->asked_addend = addend;
  return *found;
}

template <bool kTransposed>
const typename Convolution<kTransposed>::Packed& Convolution<kTransposed>::Pack(
    const memory::desc& wanted, const ConvParameters& parameters,
    const Epilogue<float>& epilogue) {
  Packed* packed = nullptr;
  for (const auto& candidate : packed_) {
    if (candidate->desc == wanted) packed = candidate.get();
  }
  if (packed == nullptr) {
    packed_.push_back(std::make_unique<Packed>());
    packed = packed_.back().get();
    packed->desc = wanted;
  }
  const bool is_folded = epilogue.has_affine();
  const auto finish = [&]() -> const Packed& {
    if (!is_folded) hand_over(*parameters.weights, packed->weights);
    packed->version = parameter_version(parameters, epilogue);
    packed->is_current = true;
    return *packed;
  };
  const std::uint64_t version = parameter_version(parameters, epilogue);
  if (packed->is_current && packed->version == version) return finish();
  FoldedParameters folded;
  const float* weights = parameters.weights->cpu_data();
  if (is_folded) {
    folded = fold_parameters(shape_, parameters, epilogue);
    weights = folded.weights.data();
    packed->bias = std::move(folded.bias);
  } else if (parameters.bias != nullptr) {
    const float* bias = parameters.bias->cpu_data();
    packed->bias.assign(bias, bias + shape_.num_output);
  } else {
    packed->bias.clear();
  }
  // What a blob has taken over as its only copy stays as it is.
  if (packed->weights == nullptr || packed->weights.use_count() > 1) {
    packed->weights = std::make_shared<PackedWeights>(plain_weights(shape_), wanted);
  }
  packed->weights->Pack(weights);
  return finish();
}

template <bool kTransposed>
void Convolution<kTransposed>::Forward(const Blob<float>& bottom,
                                       const ConvParameters& parameters,
                                       const Epilogue<float>& epilogue,
                                       Blob<float>* top) {
  AddendMode mode = AddendMode::kNone;
  if (epilogue.addend != nullptr) {
    const bool in_place = epilogue.addend->data() == top->data();
    mode = in_place ? AddendMode::kSum : AddendMode::kBinary;
  }
  const bool with_bias = parameters.bias != nullptr || epilogue.has_affine();
  const Variant& variant = FindVariant(epilogue.activation, mode, with_bias);
  CHECK(mode != AddendMode::kSum || variant.addend == AddendMode::kSum)
      << "the addend lies where the convolution writes, and cannot be added by it";
  const Packed& packed = Pack(variant.pd.weights_desc(), parameters, epilogue);
  const BlockedLayout top_layout = top->blocked_layout();

  const float* source = source_is_blocked_
                            ? bottom.data()->blocked_data(bottom.blocked_layout())
                            : bottom.cpu_data();
  const float* addend = nullptr;
  if (variant.addend == AddendMode::kBinary) {
    addend = epilogue.addend->data()->blocked_data(top_layout);
  }
  float* destination = variant.addend == AddendMode::kSum
                           ? top->data()->update_blocked_data(top_layout)
                           : top->data()->mutable_blocked_data(top_layout);

  const memory::desc scratch_desc = variant.pd.scratchpad_desc();
  std::unordered_map<int, memory> arguments = {
      {DNNL_ARG_SRC, wrap(variant.pd.src_desc(), source)},
      {DNNL_ARG_WEIGHTS, wrap(variant.pd.weights_desc(), packed.weights->data())},
      {DNNL_ARG_DST, wrap(variant.pd.dst_desc(), destination)},
      {DNNL_ARG_SCRATCHPAD, wrap(scratch_desc, scratch_memory(scratch_desc.get_size()))}};
  if (with_bias) {
    arguments[DNNL_ARG_BIAS] = wrap(variant.pd.bias_desc(), packed.bias.data());
  }
  if (addend != nullptr) {
    arguments[DNNL_ARG_ATTR_MULTIPLE_POST_OP(0) | DNNL_ARG_SRC_1] =
        wrap(variant.pd.dst_desc(), addend);
  }
  variant.primitive.execute(thread_stream(), arguments);
  thread_stream().wait();
  const bool addend_left =
      mode != AddendMode::kNone && variant.addend == AddendMode::kNone;
  if (addend_left || !(variant.activation == epilogue.activation)) {
    apply_activation(epilogue.activation, addend_left ? epilogue.addend : nullptr, top);
  }
}

template <bool kTransposed>
const typename Convolution<kTransposed>::Forward_::primitive_desc&
Convolution<kTransposed>::Hint(dnnl::algorithm algorithm) {
  if (algorithm == algorithm_) return variants_[0]->pd;
  if (!direct_hint_) {
    direct_hint_ = std::make_unique<typename Forward_::primitive_desc>(
        forward_desc<Forward_>(Descs(algorithm, shape_.has_bias), user_scratch()));
  }
  return *direct_hint_;
}

// Calls make(algorithm) for the forward's algorithm, then for the direct one.
template <bool kTransposed>
template <typename PrimitiveDesc, typename Make>
std::unique_ptr<PrimitiveDesc> Convolution<kTransposed>::FirstFast(const Make& make) {
  std::vector<dnnl::algorithm> algorithms = {algorithm_};
  if (algorithm_ == dnnl::algorithm::convolution_winograd) {
    algorithms.push_back(dnnl::algorithm::convolution_direct);
  }
  for (const dnnl::algorithm algorithm : algorithms) {
    try {
      auto pd = std::make_unique<PrimitiveDesc>(make(algorithm));
      if (!is_unfit(*pd)) return pd;
    } catch (const dnnl::error& error) {
      if (error.status != dnnl_unimplemented && error.status != dnnl_invalid_arguments)
        throw;
    }
  }
  return nullptr;
}

template <bool kTransposed>
bool Convolution<kTransposed>::BackwardData(const Blob<float>& top,
                                            const ConvParameters& parameters,
                                            const Epilogue<float>& epilogue,
                                            Blob<float>* bottom) {
  if (!backward_data_chosen_) {
    backward_data_chosen_ = true;
    data_pd_ = FirstFast<DataDesc>([this](dnnl::algorithm algorithm) {
      return backward_data_desc<BackwardData_>(Descs(algorithm, false), Hint(algorithm),
                                               user_scratch());
    });
    if (data_pd_) data_primitive_ = BackwardData_(*data_pd_);
  }
  if (!data_pd_) return false;
  const Packed& packed = Pack(data_pd_->weights_desc(), parameters, epilogue);
  const float* top_diff = top.diff()->blocked_data(top.blocked_layout());
  float* bottom_diff =
      source_is_blocked_ ? bottom->diff()->mutable_blocked_data(bottom->blocked_layout())
                         : bottom->mutable_cpu_diff();
  const memory::desc scratch_desc = data_pd_->scratchpad_desc();
  data_primitive_.execute(
      thread_stream(),
      {{DNNL_ARG_DIFF_DST, wrap(data_pd_->diff_dst_desc(), top_diff)},
       {DNNL_ARG_WEIGHTS, wrap(data_pd_->weights_desc(), packed.weights->data())},
       {DNNL_ARG_DIFF_SRC, wrap(data_pd_->diff_src_desc(), bottom_diff)},
       {DNNL_ARG_SCRATCHPAD,
        wrap(scratch_desc, scratch_memory(scratch_desc.get_size()))}});
  thread_stream().wait();
  return true;
}

template <bool kTransposed>
bool Convolution<kTransposed>::BackwardWeights(const Blob<float>& bottom,
                                               const Blob<float>& top,
                                               float* weights_diff, float* bias_diff) {
  if (weights_diff == nullptr) {
    if (bias_diff != nullptr) add_channel_sums_of_diff(top, bias_diff);
    return true;
  }
  WeightsGradient& gradient = bias_diff != nullptr ? gradient_with_bias_ : gradient_;
  if (!gradient.chosen) {
    gradient.chosen = true;
    gradient.pd = FirstFast<WeightsDesc>([&](dnnl::algorithm algorithm) {
      return backward_weights_desc<BackwardWeights_>(
          Descs(algorithm, bias_diff != nullptr), Hint(algorithm), user_scratch());
    });
    if (gradient.pd) gradient.primitive = BackwardWeights_(*gradient.pd);
  }
  if (!gradient.pd) {
    // oneDNN's depthwise gradient stops at 3x3.
    if (!add_depthwise_weight_gradient(shape_, bottom, top, weights_diff)) return false;
    if (bias_diff != nullptr) add_channel_sums_of_diff(top, bias_diff);
    return true;
  }
  const float* source = source_is_blocked_
                            ? bottom.data()->blocked_data(bottom.blocked_layout())
                            : bottom.cpu_data();
  const float* top_diff = top.diff()->blocked_data(top.blocked_layout());
  const memory::desc packed_desc = gradient.pd->diff_weights_desc();
  const memory::desc plain_desc = plain_weights(shape_);
  const memory::desc scratch_desc = gradient.pd->scratchpad_desc();
  const bool is_plain = packed_desc == plain_desc;
  ScratchPieces pieces;
  const std::size_t pad_at = pieces.Add(scratch_desc.get_size());
  const std::size_t packed_at = pieces.Add(packed_desc.get_size());
  const std::size_t plain_at = is_plain ? packed_at : pieces.Add(plain_desc.get_size());
  const std::size_t bias_at = pieces.Add(shape_.num_output * sizeof(float) + 64);
  pieces.Allocate();
  std::unordered_map<int, memory> arguments = {
      {DNNL_ARG_SRC, wrap(gradient.pd->src_desc(), source)},
      {DNNL_ARG_DIFF_DST, wrap(gradient.pd->diff_dst_desc(), top_diff)},
      {DNNL_ARG_DIFF_WEIGHTS, wrap(packed_desc, pieces.At(packed_at))},
      {DNNL_ARG_SCRATCHPAD, wrap(scratch_desc, pieces.At(pad_at))}};
  if (bias_diff != nullptr) {
    arguments[DNNL_ARG_DIFF_BIAS] =
        wrap(gradient.pd->diff_bias_desc(), pieces.At(bias_at));
  }
  gradient.primitive.execute(thread_stream(), arguments);
  if (!is_plain) {
    memory from = wrap(packed_desc, pieces.At(packed_at));
    memory to = wrap(plain_desc, pieces.At(plain_at));
    dnnl::reorder(from, to).execute(thread_stream(), from, to);
  }
  thread_stream().wait();
  add_to(pieces.At(plain_at), shape_.weight_count(), weights_diff);
  if (bias_diff != nullptr) add_to(pieces.At(bias_at), shape_.num_output, bias_diff);
  return true;
}

template class Convolution<false>;
template class Convolution<true>;

namespace {
template <bool kTransposed>
std::unique_ptr<ConvolutionKernel> make(const ConvShape& shape) {
  auto kernel = std::make_unique<Convolution<kTransposed>>(shape);
  if (!kernel->usable()) return nullptr;
  return kernel;
}
}  // namespace

}  // namespace onednn

std::unique_ptr<ConvolutionKernel> make_onednn_convolution(const ConvShape& shape) {
  if (native_channel_block() == 0 || shape.spatial_axes() != 2 || shape.num == 0)
    return nullptr;
  return shape.transposed ? onednn::make<true>(shape) : onednn::make<false>(shape);
}

}  // namespace caffe
