// The choice among implementations of a convolution, and its folded parameters.
#include "caffe/device/convolution.hpp"

#include <cstdlib>
#include <cstring>
#include <mutex>
#include <sstream>

#include "caffe/backend/convolution.hpp"
#include "caffe/device/device.hpp"
#include "caffe/device/graph.hpp"
#include "caffe/device/scratch.hpp"
#include "caffe/device/stopwatch.hpp"
#include "caffe/util/math_functions_gpu.hpp"

namespace caffe {
namespace device {

namespace {

bool Repeatable() {
  static const bool wanted = [] {
    const char* value = std::getenv("CAFFE_DETERMINISTIC");
    return value != nullptr && std::strcmp(value, "0") != 0;
  }();
  return wanted;
}

/// CAFFE_REPORT_CHOICES=1: the log (level INFO) gets what was measured.
bool ReportsChoices() {
  static const bool wanted = std::getenv("CAFFE_REPORT_CHOICES") != nullptr;
  return wanted;
}

/// What was measured, by shape and operation: (implementation, variant, fused).
struct Measured {
  int implementation = 0, variant = 0;
  bool fused = false;
};
struct MeasuredTable {
  std::mutex mutex;
  std::map<std::string, Measured> entries;
};
MeasuredTable& Table() {
  static MeasuredTable* table = new MeasuredTable;
  return *table;
}

std::string Key(const ConvShape& shape, int kind, bool is_double) {
  std::ostringstream key;
  key << current() << ' ' << kind << ' ' << is_double << ' ' << tf32_allowed() << ' '
      << shape.num << ' ' << shape.channels << ' ' << shape.num_output << ' '
      << shape.group << ' ' << shape.transposed;
  for (const auto* sizes : {&shape.input, &shape.output, &shape.kernel, &shape.stride,
                            &shape.pad, &shape.dilation}) {
    for (const int size : *sizes) key << ' ' << size;
  }
  return key.str();
}

}  // namespace

template <typename Dtype>
Convolution<Dtype>::Convolution(const ConvShape& shape, bool plain)
    : shape_(shape), plain_(plain) {
  Prepare();
}

template <typename Dtype>
void Convolution<Dtype>::Prepare() {
  tf32_ = tf32_allowed();
  choices_.clear();
  implementations_.clear();
  if (!plain_) {
    if (auto ops = make_depthwise_convolution<Dtype>(shape_)) {
      implementations_.push_back(std::move(ops));
    }
    if (auto ops = make_narrow_convolution<Dtype>(shape_)) {
      implementations_.push_back(std::move(ops));
    }
    if (auto ops = make_cudnn_convolution<Dtype>(shape_)) {
      implementations_.push_back(std::move(ops));
    }
  }
  if (implementations_.empty() || !shape_.depthwise()) {
    implementations_.push_back(make_gemm_convolution<Dtype>(shape_));
  }
}

template <typename Dtype>
Convolution<Dtype>::~Convolution() = default;

template <typename Dtype>
void Convolution<Dtype>::RunChoice(const Choice& choice, ConvOp op,
                                   const ConvOperands<Dtype>& operands,
                                   const ConvTail<Dtype>& tail) {
  if (choice.fused) {
    choice.ops->RunFused(choice.variant, operands, tail);
    return;
  }
  choice.ops->Run(op, choice.variant, operands);
  if (!tail.any()) return;
  MapTail<Dtype> map_tail;
  map_tail.num = shape_.num;
  map_tail.channels = shape_.map_channels();
  map_tail.positions = static_cast<int>(ConvShape::volume(shape_.map()));
  map_tail.bias = tail.bias;
  map_tail.addend = tail.addend;
  map_tail.slope = tail.relu ? 0 : 1;
  apply_map_tail(map_tail, operands.map);
}

template <typename Dtype>
typename Convolution<Dtype>::Choice Convolution<Dtype>::Choose(
    ConvOp op, const ConvOperands<Dtype>& operands, const ConvTail<Dtype>& tail) {
  if (tf32_ != tf32_allowed()) Prepare();
  const int kind = static_cast<int>(op) + 3 * (tail.bias != nullptr) +
                   6 * (tail.addend != nullptr) + 12 * tail.relu;
  const auto known = choices_.find(kind);
  if (known != choices_.end()) return known->second;

  std::vector<Choice> candidates;
  std::vector<Measured> labels;
  for (size_t i = 0; i < implementations_.size(); ++i) {
    ConvolutionOps<Dtype>* ops = implementations_[i].get();
    const int fused = op == ConvOp::kCorrelate ? ops->fused_variants(tail) : 0;
    for (int v = 0; v < fused; ++v) {
      candidates.push_back({ops, v, true});
      labels.push_back({static_cast<int>(i), v, true});
    }
    for (int v = 0; v < ops->variants(op); ++v) {
      candidates.push_back({ops, v, false});
      labels.push_back({static_cast<int>(i), v, false});
    }
  }
  CHECK(!candidates.empty()) << "no implementation takes this convolution";
  size_t best = 0;
  if (candidates.size() > 1 && !Repeatable() && !is_recording()) {
    const std::string key = Key(shape_, kind, sizeof(Dtype) == 8);
    const std::lock_guard<std::mutex> lock(Table().mutex);
    const auto entry = Table().entries.find(key);
    if (entry != Table().entries.end()) {
      const Measured& m = entry->second;
      while (best + 1 < labels.size() &&
             (labels[best].implementation != m.implementation ||
              labels[best].variant != m.variant || labels[best].fused != m.fused)) {
        ++best;
      }
    } else {
      float least = 1e30f;
      std::ostringstream report;
      for (size_t c = 0; c < candidates.size(); ++c) {
        float milliseconds = 1e30f;
        try {
          RunChoice(candidates[c], op, operands, tail);
          Stopwatch watch;
          watch.Start();
          for (int k = 0; k < 3; ++k) RunChoice(candidates[c], op, operands, tail);
          watch.Stop();
          milliseconds = watch.milliseconds();
        } catch (const Error& error) {
          LOG(INFO) << candidates[c].ops->name(op, candidates[c].variant)
                    << " cannot run: " << error.what();
          continue;
        }
        report << "; " << candidates[c].ops->name(op, candidates[c].variant)
               << (candidates[c].fused ? " fused " : " ") << milliseconds / 3;
        if (milliseconds < least) {
          least = milliseconds;
          best = c;
        }
      }
      Table().entries[key] = labels[best];
      LOG_IF(INFO, ReportsChoices()) << "convolution " << key << ": ms" << report.str();
    }
  }
  if (!is_recording()) choices_[kind] = candidates[best];
  return candidates[best];
}

template <typename Dtype>
void Convolution<Dtype>::RefreshFolded(const Blob<Dtype>& weights,
                                       const Blob<Dtype>* bias,
                                       const Epilogue<Dtype>& epilogue) {
  if constexpr (std::is_same<Dtype, float>::value) {
    const ConvParameters parameters{&weights, bias};
    const std::uint64_t version = parameter_version(parameters, epilogue);
    if (version == folded_version_) return;
    const FoldedParameters folded = fold_parameters(shape_, parameters, epilogue);
    folded_weights_.Reshape({static_cast<int>(folded.weights.size())});
    copy_to_device(folded_weights_.mutable_gpu_data(), folded.weights.data(),
                   sizeof(float) * folded.weights.size());
    folded_bias_.Reshape({static_cast<int>(folded.bias.size())});
    copy_to_device(folded_bias_.mutable_gpu_data(), folded.bias.data(),
                   sizeof(float) * folded.bias.size());
    folded_version_ = version;
  }
}

template <typename Dtype>
void Convolution<Dtype>::ApplyTail(const Dtype* bias, const Dtype* addend,
                                   const Activation& activation, Dtype* top) const {
  MapTail<Dtype> tail;
  tail.num = shape_.num;
  tail.channels = shape_.num_output;
  tail.positions = static_cast<int>(shape_.output_positions());
  tail.bias = bias;
  tail.addend = addend;
  if (activation.kind == Activation::kReLU) tail.slope = activation.slope;
  if (activation.kind == Activation::kClip) {
    tail.clip = true;
    tail.lower = activation.lower;
    tail.upper = activation.upper;
  }
  if (bias == nullptr && addend == nullptr && activation.kind == Activation::kNone)
    return;
  apply_map_tail(tail, top);
}

template <typename Dtype>
void Convolution<Dtype>::Forward(const Blob<Dtype>& bottom, const Blob<Dtype>& weights,
                                 const Blob<Dtype>* bias, const Epilogue<Dtype>& epilogue,
                                 Blob<Dtype>* top) {
  const Dtype* w = nullptr;
  const Dtype* b = nullptr;
  if (epilogue.has_affine()) {
    RefreshFolded(weights, bias, epilogue);
    w = folded_weights_.gpu_data();
    b = folded_bias_.gpu_data();
  } else {
    w = weights.gpu_data();
    if (bias != nullptr) b = bias->gpu_data();
  }
  const Dtype* addend =
      epilogue.addend != nullptr ? epilogue.addend->gpu_data() : nullptr;
  const Dtype* x = bottom.gpu_data();
  Dtype* y = top->mutable_gpu_data();
  const size_t addend_bytes = addend == y ? sizeof(Dtype) * top->count() : 0;
  const Scratch copy(addend_bytes);  // an addend that lies in the top is overwritten
  if (addend_bytes > 0) {
    copy_on_device(copy.get(), addend, addend_bytes);
    addend = copy.template as<Dtype>();
  }
  ConvOperands<Dtype> operands;
  operands.weights = const_cast<Dtype*>(w);
  if (shape_.transposed) {
    operands.image = y;
    operands.map = const_cast<Dtype*>(x);
    const Choice choice = Choose(ConvOp::kAdjoint, operands, ConvTail<Dtype>());
    RunChoice(choice, ConvOp::kAdjoint, operands, ConvTail<Dtype>());
    name_ = choice.ops->name(ConvOp::kAdjoint, choice.variant);
    ApplyTail(b, addend, epilogue.activation, y);
    return;
  }
  operands.image = const_cast<Dtype*>(x);
  operands.map = y;
  const Activation& activation = epilogue.activation;
  const bool plain_relu = activation.kind == Activation::kReLU && activation.slope == 0;
  ConvTail<Dtype> tail;
  if (activation.kind == Activation::kNone || plain_relu) {
    tail = {b, addend, plain_relu};
  }
  const Choice choice = Choose(ConvOp::kCorrelate, operands, tail);
  RunChoice(choice, ConvOp::kCorrelate, operands, tail);
  name_ = choice.ops->name(ConvOp::kCorrelate, choice.variant);
  if (!tail.any()) ApplyTail(b, addend, activation, y);
}

template <typename Dtype>
void Convolution<Dtype>::BackwardBottom(const Blob<Dtype>& top,
                                        const Blob<Dtype>& weights, Blob<Dtype>* bottom) {
  ConvOperands<Dtype> operands;
  operands.weights = const_cast<Dtype*>(weights.gpu_data());
  const ConvOp op = shape_.transposed ? ConvOp::kCorrelate : ConvOp::kAdjoint;
  Dtype* dy = const_cast<Dtype*>(top.gpu_diff());
  Dtype* dx = bottom->mutable_gpu_diff();
  operands.image = shape_.transposed ? dy : dx;
  operands.map = shape_.transposed ? dx : dy;
  RunChoice(Choose(op, operands, ConvTail<Dtype>()), op, operands, ConvTail<Dtype>());
}

template <typename Dtype>
void Convolution<Dtype>::AddWeightGradient(const Blob<Dtype>& bottom,
                                           const Blob<Dtype>& top, Blob<Dtype>* weights) {
  ConvOperands<Dtype> operands;
  Dtype* x = const_cast<Dtype*>(bottom.gpu_data());
  Dtype* dy = const_cast<Dtype*>(top.gpu_diff());
  operands.image = shape_.transposed ? dy : x;
  operands.map = shape_.transposed ? x : dy;
  const ConvOp op = ConvOp::kWeightGradient;
  if (choices_.count(static_cast<int>(op)) == 0 && !is_recording()) {
    const Scratch trial(sizeof(Dtype) * weights->count());  // measuring adds, too
    fill_bytes(trial.get(), 0, sizeof(Dtype) * weights->count());
    operands.weights = trial.template as<Dtype>();
    Choose(op, operands, ConvTail<Dtype>());
  }
  operands.weights = weights->mutable_gpu_diff();
  RunChoice(Choose(op, operands, ConvTail<Dtype>()), op, operands, ConvTail<Dtype>());
}

template <typename Dtype>
void Convolution<Dtype>::AddBiasGradient(const Blob<Dtype>& top, Blob<Dtype>* bias) {
  add_channel_sums<Dtype>(shape_.num, shape_.num_output,
                          static_cast<int>(shape_.output_positions()), top.gpu_diff(),
                          bias->mutable_gpu_diff());
}

template <typename Dtype>
void Convolution<Dtype>::RunPlain(ConvOp op, const ConvOperands<Dtype>& operands) {
  ConvShape one = shape_;
  one.num = 1;
  make_gemm_convolution<Dtype>(one)->Run(op, 0, operands);
}

template class Convolution<float>;
template class Convolution<double>;

}  // namespace device
}  // namespace caffe
