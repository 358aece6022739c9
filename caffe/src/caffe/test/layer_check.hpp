// What layer tests share: a layer from prototxt text with its blobs, and blocked against
// plain.
#ifndef CAFFE_SRC_TEST_LAYER_CHECK_HPP_
#define CAFFE_SRC_TEST_LAYER_CHECK_HPP_

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "caffe/layer.hpp"
#include "caffe/layer_factory.hpp"
#include "caffe/test/test_caffe_main.hpp"
#include "caffe/test/test_gradient_check_util.hpp"
#include "error_check.hpp"

namespace caffe {

inline LayerParameter layer_from_text(const string& text) {
  LayerParameter param;
  if (!google::protobuf::TextFormat::ParseFromString(text, &param)) {
    ADD_FAILURE() << "not a LayerParameter: " << text;
  }
  return param;
}

/// Values in [low, high], the same for the same seed.
template <typename Dtype>
void fill_uniform(Blob<Dtype>* blob, unsigned int seed, double low = -2,
                  double high = 2) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> draw(low, high);
  Dtype* data = blob->mutable_cpu_data();
  for (int i = 0; i < blob->count(); ++i) data[i] = static_cast<Dtype>(draw(random));
}

template <typename Dtype>
vector<Dtype> data_of(const Blob<Dtype>& blob) {
  return vector<Dtype>(blob.cpu_data(), blob.cpu_data() + blob.count());
}
template <typename Dtype>
vector<Dtype> diff_of(const Blob<Dtype>& blob) {
  return vector<Dtype>(blob.cpu_diff(), blob.cpu_diff() + blob.count());
}

template <typename Dtype>
void expect_near(const vector<Dtype>& expected, const vector<Dtype>& found,
                 double tolerance, const string& what) {
  ASSERT_EQ(expected.size(), found.size()) << what;
  int failures = 0;
  for (size_t i = 0; i < expected.size() && failures < 5; ++i) {
    const double scale = std::max(1., std::fabs(static_cast<double>(expected[i])));
    if (std::fabs(expected[i] - found[i]) <= tolerance * scale) continue;
    if (std::isnan(expected[i]) && std::isnan(found[i])) continue;
    ADD_FAILURE() << what << "[" << i << "]: expected " << expected[i] << ", found "
                  << found[i];
    ++failures;
  }
}

/// A layer with blobs of its own. In place: top 0 is bottom 0.
template <typename Dtype>
class LayerUnderTest {
 public:
  LayerUnderTest(const string& text, const vector<vector<int>>& bottom_shapes,
                 int tops = 1, bool in_place = false)
      : layer(LayerRegistry<Dtype>::CreateLayer(layer_from_text(text))) {
    for (size_t i = 0; i < bottom_shapes.size(); ++i) {
      own_.push_back(std::make_shared<Blob<Dtype>>(bottom_shapes[i]));
      fill_uniform(own_.back().get(), 100 + static_cast<unsigned int>(i));
      bottom.push_back(own_.back().get());
    }
    if (in_place) top.push_back(bottom[0]);
    while (static_cast<int>(top.size()) < tops) {
      own_.push_back(std::make_shared<Blob<Dtype>>());
      top.push_back(own_.back().get());
    }
  }

  void SetUp() { layer->SetUp(bottom, top); }
  Dtype Forward() { return layer->Forward(bottom, top); }
  void Backward(vector<bool> propagate_down = {}) {
    if (propagate_down.empty()) propagate_down.assign(bottom.size(), true);
    layer->Backward(top, propagate_down, bottom);
  }
  /// The tops' diffs, drawn anew.
  void FillTopDiff(unsigned int seed = 7) {
    for (size_t i = 0; i < top.size(); ++i) {
      Blob<Dtype> values(top[i]->shape());
      fill_uniform(&values, seed + static_cast<unsigned int>(i));
      std::copy_n(values.cpu_data(), values.count(), top[i]->mutable_cpu_diff());
    }
  }
  /// Calls SetUp and returns the message of the error that it must throw.
  string SetUpError() {
    const string error = FullErrorOf([&] { SetUp(); });
    EXPECT_NE(error, "");
    return error;
  }

  shared_ptr<Layer<Dtype>> layer;
  vector<Blob<Dtype>*> bottom, top;

 private:
  vector<shared_ptr<Blob<Dtype>>> own_;
};

/// Finite differences in double against backward, for all bottoms (or one) and
/// parameters.
inline void check_gradient(LayerUnderTest<double>* test, int check_bottom = -1,
                           double step = 1e-4, double threshold = 1e-4, double kink = 0,
                           double kink_range = -1) {
  GradientChecker<double> checker(step, threshold, 1701, kink, kink_range);
  checker.CheckGradientExhaustive(test->layer.get(), test->bottom, test->top,
                                  check_bottom);
}

inline void make_blocked(const shared_ptr<SyncedMemory>& memory,
                         const BlockedLayout& layout) {
  if (layout.valid()) memory->update_blocked_data(layout);
}

/// Lanes beyond the last channel of a blocked memory hold zeros.
inline void expect_zero_tail(const shared_ptr<SyncedMemory>& memory, const string& what) {
  if (!memory->blocked_is_current()) return;
  const BlockedLayout layout = memory->layout();
  const float* data = memory->blocked_data(layout);
  const int lanes = layout.block - layout.tail_lanes();
  for (int n = 0; n < layout.num; ++n) {
    for (int s = 0; s < layout.spatial; ++s) {
      const float* position =
          data + (((n + 1) * layout.blocks() - 1) * layout.spatial + s) * layout.block;
      for (int l = lanes; l < layout.block; ++l) {
        if (position[l] == 0) continue;
        ADD_FAILURE() << what << ": lane " << l << " beyond the last channel is "
                      << position[l];
        return;
      }
    }
  }
}

/// A layer's results with row-major and with blocked inputs (data and top diffs) are
/// equal, and the blocked run leaves its tops and bottom diffs blocked.
struct BlockedCheck {
  string text;
  vector<vector<int>> bottom_shapes;
  int tops = 1;
  bool in_place = false;
  vector<bool> propagate_down = {};
  double tolerance = 1e-5;
  double low = -2, high = 2;       ///< of the inputs
  vector<int> plain_bottoms = {};  ///< stay row-major in the blocked run
  bool stays_blocked = true;

  void Run() const {
    if (native_channel_block() == 0)
      GTEST_SKIP() << "no blocked layouts on this processor";
    if (Caffe::mode() == Caffe::GPU) GTEST_SKIP() << "about host layouts";
    LayerUnderTest<float> plain(text, bottom_shapes, tops, in_place);
    LayerUnderTest<float> blocked(text, bottom_shapes, tops, in_place);
    for (LayerUnderTest<float>* test : {&plain, &blocked}) {
      for (size_t i = 0; i < test->bottom.size(); ++i) {
        fill_uniform(test->bottom[i], 31 + static_cast<unsigned int>(i), low, high);
      }
      test->SetUp();
      for (size_t p = 0; p < test->layer->blobs().size(); ++p) {
        Blob<float>* blob = test->layer->blobs()[p].get();
        fill_uniform(blob, 61 + static_cast<unsigned int>(p), 0.5, 1.5);
        std::fill_n(blob->mutable_cpu_diff(), blob->count(), 0.25f);
      }
    }
    for (size_t i = 0; i < blocked.bottom.size(); ++i) {
      if (std::count(plain_bottoms.begin(), plain_bottoms.end(), static_cast<int>(i)))
        continue;
      make_blocked(blocked.bottom[i]->data(), blocked.bottom[i]->blocked_layout());
    }
    for (LayerUnderTest<float>* test : {&plain, &blocked}) {
      Caffe::set_random_seed(3);
      test->Forward();
    }
    for (size_t i = 0; i < plain.top.size(); ++i) {
      const string what = "top " + std::to_string(i);
      if (stays_blocked) {
        EXPECT_TRUE(blocked.top[i]->data()->head_is_blocked()) << what;
      }
      EXPECT_FALSE(plain.top[i]->data()->head_is_blocked()) << what;
      expect_zero_tail(blocked.top[i]->data(), what);
      // The copy keeps the memory's head as it is for backward.
      Blob<float> copy(blocked.top[i]->shape());
      CopyValues(blocked.top[i]->data(), copy.mutable_cpu_data(), copy.count());
      expect_near(data_of(*plain.top[i]), data_of(copy), tolerance, what);
    }
    plain.FillTopDiff();
    blocked.FillTopDiff();
    for (Blob<float>* top : blocked.top) make_blocked(top->diff(), top->blocked_layout());
    plain.Backward(propagate_down);
    blocked.Backward(propagate_down);
    for (size_t i = 0; i < plain.bottom.size(); ++i) {
      if (!propagate_down.empty() && !propagate_down[i]) continue;
      const string what = "diff of bottom " + std::to_string(i);
      if (stays_blocked && blocked.bottom[i]->blocked_layout().valid()) {
        EXPECT_TRUE(blocked.bottom[i]->diff()->head_is_blocked()) << what;
      }
      expect_zero_tail(blocked.bottom[i]->diff(), what);
      expect_near(diff_of(*plain.bottom[i]), diff_of(*blocked.bottom[i]), tolerance,
                  what);
    }
    for (size_t p = 0; p < plain.layer->blobs().size(); ++p) {
      expect_near(diff_of(*plain.layer->blobs()[p]), diff_of(*blocked.layer->blobs()[p]),
                  10 * tolerance, "diff of parameter " + std::to_string(p));
    }
  }

 private:
  static void CopyValues(const shared_ptr<SyncedMemory>& memory, float* to, int count) {
    if (memory->blocked_is_current()) {
      const BlockedLayout layout = memory->layout();
      reorder_to_plain(layout, memory->blocked_data(layout), to);
    } else {
      std::copy_n(static_cast<const float*>(memory->cpu_data()), count, to);
    }
  }
};

}  // namespace caffe

#endif  // CAFFE_SRC_TEST_LAYER_CHECK_HPP_
