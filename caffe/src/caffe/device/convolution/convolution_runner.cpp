// The choice among implementations of a convolution: measured once a shape and call.
#include "convolution_runner.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <sstream>

#include "caffe/device/convolution_tail.hpp"
#include "caffe/device/device.hpp"
#include "caffe/device/graph.hpp"
#include "caffe/device/split_product.hpp"
#include "caffe/device/stopwatch.hpp"

namespace caffe {
namespace device {

namespace {

bool is_set(const char* variable, const char* value) {
  const char* found = std::getenv(variable);
  return found != nullptr && std::strcmp(found, value) == 0;
}

/// A switch is on unless it is missing or 0.
bool is_on(const char* variable) {
  return std::getenv(variable) != nullptr && !is_set(variable, "0");
}

/// CAFFE_DETERMINISTIC: nothing is measured.
bool Repeatable() {
  static const bool wanted = is_on("CAFFE_DETERMINISTIC");
  return wanted;
}

/// CAFFE_REPORT_CHOICES: the log (level INFO) gets what was measured.
bool ReportsChoices() {
  static const bool wanted = is_on("CAFFE_REPORT_CHOICES");
  return wanted;
}

/// CAFFE_LAYOUT=channels-last: wherever a convolution has that form; =row-major: nowhere.
/// Else it is tried where TF32 is allowed, for only tensor cores gain by it.
bool ForcesChannelsLast() { return is_set("CAFFE_LAYOUT", "channels-last"); }
bool OffersChannelsLast() {
  return ForcesChannelsLast() || (tf32_allowed() && !is_set("CAFFE_LAYOUT", "row-major"));
}

/// What was measured, by shape and call: (implementation, variant, fused).
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

template <typename Dtype>
bool is_read(const ConvCall<Dtype>& call, const ConvSide& side) {
  return call.op == ConvOp::kWeightGradient || &side != &call.written();
}

/// The operation, what follows it, and in which orders its operands are.
template <typename Dtype>
int kind_of(const ConvCall<Dtype>& call) {
  const Activation::Kind activation = call.activation.kind;
  int kind = static_cast<int>(call.op);
  kind = 2 * kind + (call.bias != nullptr);
  kind = 2 * kind + (call.addend != nullptr);
  kind = 2 * kind + call.weights_are_fixed;
  kind = 4 * kind + (activation == Activation::kNone   ? 0
                     : activation == Activation::kClip ? 1
                     : call.activation.slope == 0      ? 2
                                                       : 3);
  const auto add_state = [&kind](const ConvSide& side) {
    kind = 3 * kind + (side.current(true) ? 1 + side.current(false) : 0);
  };
  for (const ConvSide* side : {&call.image, &call.map}) {
    if (is_read(call, *side)) add_state(*side);
  }
  if (call.addend != nullptr) add_state({call.addend, call.written().order});
  return kind;
}

std::string key_of(const ConvShape& shape, int kind, bool is_double) {
  std::ostringstream key;
  key << current() << ' ' << kind << ' ' << is_double << ' ' << tf32_allowed() << ' '
      << OffersChannelsLast() << ' ' << split_products_wanted() << ' ' << shape.num << ' '
      << shape.channels << ' ' << shape.num_output << ' ' << shape.group << ' '
      << shape.transposed;
  for (const auto* sizes : {&shape.input, &shape.output, &shape.kernel, &shape.stride,
                            &shape.pad, &shape.dilation}) {
    for (const int size : *sizes) key << ' ' << size;
  }
  return key.str();
}

}  // namespace

template <typename Dtype>
ConvolutionRunner<Dtype>::ConvolutionRunner(const ConvShape& shape, bool plain)
    : shape_(shape), plain_(plain) {
  Prepare();
}

template <typename Dtype>
void ConvolutionRunner<Dtype>::Prepare() {
  tf32_ = tf32_allowed();
  choices_.clear();
  implementations_.clear();
  const auto add = [this](std::unique_ptr<ConvolutionOps<Dtype>> ops) {
    if (ops) implementations_.push_back(std::move(ops));
  };
  if (!plain_) {
    add(make_depthwise_convolution<Dtype>(shape_));
    add(make_narrow_convolution<Dtype>(shape_));
    add(make_cudnn_convolution<Dtype>(shape_));
    if constexpr (std::is_same<Dtype, float>::value) {
      if (OffersChannelsLast() && shape_.spatial_axes() == 2) {
        add(make_cudnn_channels_last(shape_));
        add(make_channels_last_product(shape_));
        if (ForcesChannelsLast()) {
          add(make_reordering_convolution(shape_, make_gemm_convolution<float>(shape_)));
        }
      }
    }
  }
  if (implementations_.empty() || !shape_.depthwise()) {
    add(make_gemm_convolution<Dtype>(shape_));
  }
}

template <typename Dtype>
void ConvolutionRunner<Dtype>::Run(const ConvCall<Dtype>& call) {
  const Choice choice = Choose(call);
  RunChoice(choice, call, false);
  name_ = choice.ops->name(call.op, choice.variant);
}

template <typename Dtype>
void ConvolutionRunner<Dtype>::RunChoice(const Choice& choice,
                                         const ConvCall<Dtype>& call, bool trial) {
  const bool channels_last = choice.ops->channels_last();
  CallOperands<Dtype> operands(call, channels_last, trial);
  if (choice.fused) {
    const ConvTail<Dtype> tail = {call.bias, operands.addend(),
                                  call.activation.kind == Activation::kReLU};
    choice.ops->RunFused(choice.variant, operands.operands(), tail);
  } else {
    choice.ops->Run(call.op, choice.variant, operands.operands());
    if (call.has_tail()) ApplyTail(call, operands, channels_last);
  }
  operands.Finish();
}

template <typename Dtype>
void ConvolutionRunner<Dtype>::ApplyTail(const ConvCall<Dtype>& call,
                                         const CallOperands<Dtype>& operands,
                                         bool channels_last) const {
  const ChannelsLast& order = call.written().order;
  MapTail<Dtype> tail;
  tail.num = channels_last ? order.num * order.spatial : order.num;
  tail.channels = order.channels;
  tail.positions = channels_last ? 1 : order.spatial;
  tail.bias = call.bias;
  tail.addend = operands.addend();
  if (call.activation.kind == Activation::kReLU) tail.slope = call.activation.slope;
  if (call.activation.kind == Activation::kClip) {
    tail.clip = true;
    tail.lower = call.activation.lower;
    tail.upper = call.activation.upper;
  }
  const ConvOperands<Dtype>& pointers = operands.operands();
  apply_map_tail(tail, call.op == ConvOp::kAdjoint ? pointers.image : pointers.map);
}

template <typename Dtype>
std::vector<typename ConvolutionRunner<Dtype>::Choice>
ConvolutionRunner<Dtype>::Candidates(const ConvCall<Dtype>& call) {
  std::vector<Choice> candidates;
  for (size_t i = 0; i < implementations_.size(); ++i) {
    ConvolutionOps<Dtype>* ops = implementations_[i].get();
    const int index = static_cast<int>(i);
    if (call.tail_may_be_fused()) {
      const int fused = ops->fused_variants(call.bias != nullptr,
                                            call.activation.kind == Activation::kReLU);
      for (int v = 0; v < fused; ++v) candidates.push_back({ops, v, true, index});
    }
    const int plain = ops->variants(call.op);
    for (int v = 0; v < plain; ++v) candidates.push_back({ops, v, false, index});
  }
  if (ForcesChannelsLast()) {
    std::stable_partition(candidates.begin(), candidates.end(),
                          [](const Choice& c) { return c.ops->channels_last(); });
    if (candidates.front().ops->channels_last()) {
      while (!candidates.back().ops->channels_last()) candidates.pop_back();
    }
  }
  return candidates;
}

template <typename Dtype>
typename ConvolutionRunner<Dtype>::Choice ConvolutionRunner<Dtype>::Choose(
    const ConvCall<Dtype>& call) {
  if (tf32_ != tf32_allowed()) Prepare();
  const int kind = kind_of(call);
  const auto known = choices_.find(kind);
  if (known != choices_.end()) return known->second;
  const std::vector<Choice> candidates = Candidates(call);
  CHECK(!candidates.empty()) << "no implementation takes this convolution";
  if (is_recording()) return candidates.front();
  Choice choice = candidates.front();
  if (candidates.size() > 1 && Repeatable()) {
    const auto can_run = [&](const Choice& c) { return CanRun(c, call); };
    const auto first = std::find_if(candidates.begin(), candidates.end(), can_run);
    if (first != candidates.end()) choice = *first;
  } else if (candidates.size() > 1) {
    choice = Fastest(call, key_of(shape_, kind, sizeof(Dtype) == 8), candidates);
  }
  choices_[kind] = choice;
  return choice;
}

/// Not all that a library offers for a shape is there for every card and tail.
template <typename Dtype>
bool ConvolutionRunner<Dtype>::CanRun(const Choice& choice, const ConvCall<Dtype>& call) {
  try {
    RunChoice(choice, call, true);
    return true;
  } catch (const Error& error) {
    LOG(INFO) << choice.ops->name(call.op, choice.variant)
              << " cannot run: " << error.what();
    return false;
  }
}

template <typename Dtype>
typename ConvolutionRunner<Dtype>::Choice ConvolutionRunner<Dtype>::Fastest(
    const ConvCall<Dtype>& call, const std::string& key,
    const std::vector<Choice>& candidates) {
  const std::lock_guard<std::mutex> lock(Table().mutex);
  const auto entry = Table().entries.find(key);
  if (entry != Table().entries.end()) {
    const Measured& m = entry->second;
    for (const Choice& c : candidates) {
      if (c.index == m.implementation && c.variant == m.variant && c.fused == m.fused) {
        return c;
      }
    }
  }
  Choice best = candidates.front();
  float least = 1e30f;
  std::ostringstream report;
  for (const Choice& candidate : candidates) {
    if (!CanRun(candidate, call)) continue;
    const std::string name = candidate.ops->name(call.op, candidate.variant);
    float milliseconds = 0;
    try {
      Stopwatch watch;
      watch.Start();
      for (int k = 0; k < 3; ++k) RunChoice(candidate, call, true);
      watch.Stop();
      milliseconds = watch.milliseconds();
    } catch (const Error& error) {
      LOG(INFO) << name << " cannot run: " << error.what();
      continue;
    }
    report << "; " << name << (candidate.fused ? " fused " : " ") << milliseconds / 3;
    if (milliseconds < least) {
      least = milliseconds;
      best = candidate;
    }
  }
  Table().entries[key] = {best.index, best.variant, best.fused};
  LOG_IF(INFO, ReportsChoices()) << "convolution " << key << ": ms" << report.str();
  return best;
}

template class ConvolutionRunner<float>;
template class ConvolutionRunner<double>;

}  // namespace device
}  // namespace caffe
