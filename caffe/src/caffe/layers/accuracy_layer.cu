// Accuracy on the device.
#include "caffe/device/launch.hpp"
#include "caffe/device/scratch.hpp"
#include "caffe/layers/accuracy_layer.hpp"

namespace caffe {

namespace {

/// What became of a position: the doubled class, plus 1 where it is right; or:
constexpr int kIgnored = -1, kNoClass = -2;

template <typename Dtype>
struct Judge {
  const Dtype *scores, *labels;
  int classes, inner, top_k;
  bool has_ignore_label;
  int ignore_label;
  int* verdicts;

  CAFFE_HD int first(int position) const {
    return inner == 1 ? position * classes
                      : position / inner * classes * inner + position % inner;
  }
  CAFFE_HD bool is_class(Dtype label) const {
    return label > Dtype(-1) && label < Dtype(classes);
  }
  /// 1 if another class scores at least as high as the true one.
  CAFFE_HD int operator()(int position, int c) const {
    const Dtype label = labels[position];
    if (!is_class(label)) return 0;
    const int at = first(position), true_class = static_cast<int>(label);
    return c != true_class && !(scores[at + c * inner] < scores[at + true_class * inner]);
  }
  CAFFE_HD void operator()(int position, int as_high, int /*store*/) const {
    const Dtype label = labels[position];
    int verdict = kNoClass;
    if (has_ignore_label && label == label && static_cast<int>(label) == ignore_label) {
      verdict = kIgnored;
    } else if (is_class(label)) {
      const int true_class = static_cast<int>(label);
      const Dtype score = scores[first(position) + true_class * inner];
      verdict = 2 * true_class + (as_high < top_k && score == score ? 1 : 0);
    }
    verdicts[position] = verdict;
  }
};

template <typename Dtype>
void judge_positions(int positions, const Judge<Dtype>& rule) {
  const Judge<Dtype> judge = rule;
  if (judge.inner == 1) {  // the scores of a position lie side by side
    launch_row_sums<int>(
        positions, judge.classes, judge,
        CAFFE_LAMBDA(int position, int as_high) { judge(position, as_high, 0); });
    return;
  }
  launch(
      positions, CAFFE_LAMBDA(int position) {
        int as_high = 0;
        for (int c = 0; c < judge.classes; ++c) as_high += judge(position, c);
        judge(position, as_high, 0);
      });
}

/// Right / counted; NaN if a label was no class.
template <typename Dtype>
CAFFE_HD Dtype share(int right, int counted, bool all_classes) {
  if (!all_classes) return static_cast<Dtype>(NAN);
  return counted > 0 ? static_cast<Dtype>(right) / counted : Dtype(0);
}

template <typename Dtype>
void total_accuracy(int positions, const int* verdicts, int* sums, Dtype* accuracy) {
  launch_row_sums<int>(
      3, positions,
      CAFFE_LAMBDA(int row, int i) {
        const int verdict = verdicts[i];
        if (row == 0) return verdict >= 0 && verdict % 2 == 1 ? 1 : 0;
        return (row == 1 ? verdict >= 0 : verdict == kNoClass) ? 1 : 0;
      },
      CAFFE_LAMBDA(int row, int sum) { sums[row] = sum; });
  launch(
      1, CAFFE_LAMBDA(int) { *accuracy = share<Dtype>(sums[0], sums[1], sums[2] == 0); });
}

template <typename Dtype>
void class_accuracy(int classes, int positions, const int* verdicts, int* sums,
                    Dtype* accuracy) {
  launch_row_sums<int>(
      2 * classes, positions,
      CAFFE_LAMBDA(int row, int i) { return verdicts[i] == row ? 1 : 0; },
      CAFFE_LAMBDA(int row, int sum) { sums[row] = sum; });
  launch(
      classes, CAFFE_LAMBDA(int c) {
        const int wrong = sums[2 * c], right = sums[2 * c + 1];
        accuracy[c] = share<Dtype>(right, wrong + right, true);
      });
}

}  // namespace

template <typename Dtype>
void AccuracyLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                       const vector<Blob<Dtype>*>& top) {
  const AccuracyParameter& param = this->layer_param_.accuracy_param();
  const int positions = outer_ * inner_;
  const device::Scratch verdicts(sizeof(int) * positions);
  const device::Scratch sums(sizeof(int) * (2 * classes_ + 3));
  judge_positions(
      positions,
      Judge<Dtype>{bottom[0]->gpu_data(), bottom[1]->gpu_data(), classes_, inner_,
                   static_cast<int>(param.top_k()), param.has_ignore_label(),
                   param.ignore_label(), verdicts.as<int>()});
  total_accuracy(positions, verdicts.as<int>(), sums.as<int>(),
                 top[0]->mutable_gpu_data());
  if (top.size() > 1) {
    class_accuracy(classes_, positions, verdicts.as<int>(), sums.as<int>(),
                   top[1]->mutable_gpu_data());
  }
}

template <typename Dtype>
void AccuracyLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                        const vector<bool>& propagate_down,
                                        const vector<Blob<Dtype>*>& bottom) {
  Backward_cpu(top, propagate_down, bottom);  // there is none
}

INSTANTIATE_LAYER_GPU_FUNCS(AccuracyLayer);

}  // namespace caffe
