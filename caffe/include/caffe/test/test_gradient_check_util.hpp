// GradientChecker: compares a layer's backward pass with central finite differences.
//
// The objective of a check is half the sum of squares of all tops, or twice one top
// element. Every forward pass runs with the same seed, so a layer that draws random
// numbers is checked too; a layer that works in place is given its inputs anew each time.
// The exhaustive check takes each input step once and reads all top elements from it (two
// forward passes an input value, not two an input value and top element).
#ifndef CAFFE_TEST_GRADIENT_CHECK_UTIL_H_
#define CAFFE_TEST_GRADIENT_CHECK_UTIL_H_

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "caffe/common.hpp"
#include "caffe/layer.hpp"
#include "caffe/util/math_functions.hpp"

namespace caffe {

template <typename Dtype>
class GradientChecker {
  typedef vector<Blob<Dtype>*> Blobs;

 public:
  /// threshold is relative to max(1, |computed|, |estimate|). Input values v with
  /// kink - kink_range <= |v| <= kink + kink_range are not compared: the function bends
  /// there.
  GradientChecker(const Dtype stepsize, const Dtype threshold,
                  const unsigned int seed = 1701, const Dtype kink = 0.,
                  const Dtype kink_range = -1)
      : stepsize_(stepsize),
        threshold_(threshold),
        seed_(seed),
        kink_(kink),
        kink_range_(kink_range) {}

  /// From now on the layer's parameters are not checked (statistics without a gradient).
  void IgnoreParameters() { check_parameters_ = false; }

  /// SetUp, then one check of the sum over all tops. check_bottom: -1 all bottoms and
  /// parameters; i >= 0 bottom i and the parameters; <= -2 the parameters alone.
  void CheckGradient(Layer<Dtype>* layer, const Blobs& bottom, const Blobs& top,
                     int check_bottom = -1) {
    layer->SetUp(bottom, top);
    CheckGradientSingle(layer, bottom, top, check_bottom, -1, -1);
  }

  /// SetUp, then one check for each top element.
  void CheckGradientExhaustive(Layer<Dtype>* layer, const Blobs& bottom, const Blobs& top,
                               int check_bottom = -1) {
    layer->SetUp(bottom, top);
    CHECK_GT(top.size(), 0) << "Exhaustive mode requires at least one top blob.";
    vector<Objective> objectives;
    for (int t = 0; t < static_cast<int>(top.size()); ++t) {
      for (int i = 0; i < top[t]->count(); ++i) objectives.push_back({t, i});
    }
    Run run(layer, bottom, top, check_bottom, check_parameters_);
    // In pieces, so that the table of derivatives stays small.
    const size_t piece = std::max<size_t>(1, kTableSize / std::max<size_t>(1, run.count));
    for (size_t begin = 0; begin < objectives.size(); begin += piece) {
      const size_t end = std::min(objectives.size(), begin + piece);
      Check(&run, vector<Objective>(objectives.begin() + begin, objectives.begin() + end),
            false);
    }
  }

  /// The exhaustive check of a layer without parameters whose top element i depends on
  /// bottom element i alone: all other derivatives must be 0.
  void CheckGradientEltwise(Layer<Dtype>* layer, const Blobs& bottom, const Blobs& top) {
    layer->SetUp(bottom, top);
    CHECK_GT(top.size(), 0) << "Eltwise mode requires at least one top blob.";
    CHECK_EQ(layer->blobs().size(), 0)
        << "Eltwise mode is for layers without parameters.";
    for (int t = 0; t < static_cast<int>(top.size()); ++t) {
      for (const Blob<Dtype>* blob : bottom) CHECK_EQ(blob->count(), top[t]->count());
      for (int i = 0; i < top[t]->count(); ++i) {
        CheckGradientSingle(layer, bottom, top, -1, t, i, true);
      }
    }
  }

  /// One check without SetUp. top_id < 0: the sum over all tops.
  void CheckGradientSingle(Layer<Dtype>* layer, const Blobs& bottom, const Blobs& top,
                           int check_bottom, int top_id, int top_data_id,
                           bool element_wise = false) {
    Run run(layer, bottom, top, check_bottom, check_parameters_);
    Check(&run, {{top_id, top_data_id}}, element_wise);
  }

  /// Checks every layer of a net in turn, after a forward pass of the whole.
  template <typename NetType>
  void CheckGradientNet(NetType& net, const Blobs& input) {
    net.Forward(input);
    for (size_t i = 0; i < net.layers().size(); ++i) {
      CheckGradientExhaustive(net.layers()[i].get(), net.bottom_vecs()[i],
                              net.top_vecs()[i]);
    }
  }

 private:
  // The most derivatives held at once, and the most failures written for one check.
  static constexpr size_t kTableSize = 1 << 20;
  static constexpr int kMostFailures = 20;

  // Twice the top element, or half the sum of squares of all tops where top < 0.
  struct Objective {
    int top, element;
  };

  // What is checked (parameters first, then bottoms), and the values it starts from.
  struct Run {
    Run(Layer<Dtype>* layer_, const Blobs& bottom_, const Blobs& top_, int check_bottom,
        bool check_parameters)
        : layer(layer_), bottom(bottom_), top(top_) {
      propagate_down.assign(bottom.size(), check_bottom == -1);
      if (check_parameters) {
        for (const auto& blob : layer->blobs()) checked.push_back(blob.get());
      }
      if (check_bottom == -1) {
        checked.insert(checked.end(), bottom.begin(), bottom.end());
      } else if (check_bottom >= 0) {
        CHECK_LT(check_bottom, bottom.size());
        checked.push_back(bottom[check_bottom]);
        propagate_down[check_bottom] = true;
      }
      CHECK_GT(checked.size(), 0) << "No blobs to check.";
      for (const Blob<Dtype>* blob : checked) {
        count += blob->count();
        values.emplace_back(blob->cpu_data(), blob->cpu_data() + blob->count());
      }
      for (Blob<Dtype>* blob : bottom) {
        if (std::find(top.begin(), top.end(), blob) == top.end()) continue;
        in_place.push_back(blob);
        in_place_values.emplace_back(blob->cpu_data(), blob->cpu_data() + blob->count());
      }
    }

    Layer<Dtype>* layer;
    const Blobs &bottom, &top;
    Blobs checked, in_place;
    vector<vector<Dtype>> values, in_place_values;
    vector<bool> propagate_down;
    size_t count = 0;
    int failures = 0;
  };

  static void Refill(const Blobs& blobs, const vector<vector<Dtype>>& values) {
    for (size_t b = 0; b < blobs.size(); ++b) {
      std::copy(values[b].begin(), values[b].end(), blobs[b]->mutable_cpu_data());
    }
  }

  // Forward with element i of checked blob b moved by `step`; then puts the element back.
  void ForwardMoved(Run* run, size_t b, int i, Dtype step) const {
    Refill(run->in_place, run->in_place_values);
    const Dtype value = run->values[b][i];
    run->checked[b]->mutable_cpu_data()[i] = value + step;
    Caffe::set_random_seed(seed_);
    run->layer->Forward(run->bottom, run->top);
    if (run->in_place.empty()) run->checked[b]->mutable_cpu_data()[i] = value;
  }

  static Dtype Value(const Blobs& top, const Objective& objective) {
    if (objective.top >= 0) {
      return top[objective.top]->cpu_data()[objective.element] * 2;
    }
    Dtype sum = 0;
    for (const Blob<Dtype>* blob : top) sum += blob->sumsq_data();
    return sum / 2;
  }

  // The objective's derivative by the tops, into their diffs.
  static void SetTopDiff(const Blobs& top, const Objective& objective) {
    for (int t = 0; t < static_cast<int>(top.size()); ++t) {
      Dtype* diff = top[t]->mutable_cpu_diff();
      if (objective.top < 0) {
        std::copy_n(top[t]->cpu_data(), top[t]->count(), diff);
      } else {
        std::fill_n(diff, top[t]->count(), Dtype(0));
        if (t == objective.top) diff[objective.element] = 2;
      }
    }
  }

  // Forward and backward; the gradients of the checked blobs, one after the other.
  vector<Dtype> ComputedGradient(const Run& run, const Objective& objective) const {
    for (const auto& blob : run.layer->blobs()) {
      std::fill_n(blob->mutable_cpu_diff(), blob->count(), Dtype(0));
    }
    Refill(run.in_place, run.in_place_values);
    Caffe::set_random_seed(seed_);
    run.layer->Forward(run.bottom, run.top);
    SetTopDiff(run.top, objective);
    run.layer->Backward(run.top, run.propagate_down, run.bottom);
    vector<Dtype> gradient;
    gradient.reserve(run.count);
    for (const Blob<Dtype>* blob : run.checked) {
      gradient.insert(gradient.end(), blob->cpu_diff(), blob->cpu_diff() + blob->count());
    }
    return gradient;
  }

  void Check(Run* run, const vector<Objective>& objectives, bool element_wise) {
    vector<vector<Dtype>> computed;
    for (const Objective& objective : objectives) {
      computed.push_back(ComputedGradient(*run, objective));
    }
    vector<Dtype> estimates(objectives.size());
    size_t index = 0;
    for (size_t b = 0; b < run->checked.size(); ++b) {
      for (int i = 0; i < run->checked[b]->count(); ++i, ++index) {
        std::fill(estimates.begin(), estimates.end(), Dtype(0));
        if (!element_wise || i == objectives[0].element) {
          Estimate(run, b, i, objectives, &estimates);
        }
        for (size_t k = 0; k < objectives.size(); ++k) {
          Compare(run, b, i, objectives[k], computed[k][index], estimates[k]);
        }
      }
    }
    Refill(run->in_place, run->in_place_values);
  }

  // The central differences of all objectives by element i of checked blob b.
  void Estimate(Run* run, size_t b, int i, const vector<Objective>& objectives,
                vector<Dtype>* estimates) const {
    ForwardMoved(run, b, i, stepsize_);
    for (size_t k = 0; k < objectives.size(); ++k) {
      (*estimates)[k] = Value(run->top, objectives[k]);
    }
    ForwardMoved(run, b, i, -stepsize_);
    for (size_t k = 0; k < objectives.size(); ++k) {
      (*estimates)[k] =
          ((*estimates)[k] - Value(run->top, objectives[k])) / stepsize_ / 2;
    }
  }

  void Compare(Run* run, size_t b, int i, const Objective& objective, Dtype computed,
               Dtype estimate) const {
    const Dtype magnitude = std::fabs(run->values[b][i]);
    if (kink_ - kink_range_ <= magnitude && magnitude <= kink_ + kink_range_) return;
    const Dtype scale =
        std::max(Dtype(1), std::max(std::fabs(computed), std::fabs(estimate)));
    if (std::fabs(computed - estimate) <= threshold_ * scale) return;  // NaN goes on
    if (run->failures++ >= kMostFailures) return;
    ADD_FAILURE() << "gradient of checked blob " << b << " ["
                  << run->checked[b]->shape_string() << "], element " << i << " (value "
                  << run->values[b][i] << "): backward gives " << computed
                  << ", finite differences " << estimate << "; objective: top "
                  << objective.top << ", element " << objective.element
                  << (run->failures == kMostFailures ? "; more failures are not shown"
                                                     : "");
  }

  const Dtype stepsize_, threshold_;
  const unsigned int seed_;
  const Dtype kink_, kink_range_;
  bool check_parameters_ = true;
};

}  // namespace caffe

#endif  // CAFFE_TEST_GRADIENT_CHECK_UTIL_H_
