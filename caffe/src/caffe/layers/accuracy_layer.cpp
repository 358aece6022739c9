// Accuracy: counts the classes that score as high as the true one.
#include "caffe/layers/accuracy_layer.hpp"

#include "caffe/layers/loss_layer.hpp"

namespace caffe {

template <typename Dtype>
void AccuracyLayer<Dtype>::Reshape(const vector<Blob<Dtype>*>& bottom,
                                   const vector<Blob<Dtype>*>& top) {
  const AccuracyParameter& param = this->layer_param_.accuracy_param();
  const int axis = bottom[0]->CanonicalAxisIndex(param.axis());
  outer_ = bottom[0]->count(0, axis);
  classes_ = bottom[0]->shape(axis);
  inner_ = bottom[0]->count(axis + 1);
  CHECK_EQ(outer_ * inner_, bottom[1]->count())
      << "the number of labels must be that of predictions: scores of shape "
      << bottom[0]->shape_string() << " need " << outer_ * inner_
      << " labels (N*H*W for N x C x H x W), not " << bottom[1]->shape_string();
  CHECK_LE(param.top_k(), static_cast<unsigned int>(classes_))
      << "accuracy_param: top_k is larger than the number of classes";
  top[0]->Reshape(vector<int>());
  if (top.size() > 1) top[1]->Reshape({classes_});
}

template <typename Dtype>
void AccuracyLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>& bottom,
                                       const vector<Blob<Dtype>*>& top) {
  const AccuracyParameter& param = this->layer_param_.accuracy_param();
  const Dtype *scores = bottom[0]->cpu_data(), *labels = bottom[1]->cpu_data();
  vector<int> right(classes_), counted(classes_);
  for (int position = 0; position < outer_ * inner_; ++position) {
    const Dtype label = labels[position];
    if (Ignores(label)) continue;
    const int true_class = class_of_label(label, position, classes_);
    const Dtype* score =
        scores + static_cast<std::int64_t>(position / inner_) * classes_ * inner_ +
        position % inner_;
    const Dtype true_score = score[static_cast<std::int64_t>(true_class) * inner_];
    unsigned int as_high = 0;  // of the other classes
    for (int c = 0; c < classes_; ++c) {
      as_high +=
          c != true_class && !(score[static_cast<std::int64_t>(c) * inner_] < true_score);
    }
    ++counted[true_class];
    right[true_class] += as_high < param.top_k() && true_score == true_score;
  }
  int all_right = 0, all_counted = 0;
  for (int c = 0; c < classes_; ++c) {
    all_right += right[c];
    all_counted += counted[c];
    if (top.size() > 1) {
      top[1]->mutable_cpu_data()[c] =
          counted[c] > 0 ? static_cast<Dtype>(right[c]) / counted[c] : Dtype(0);
    }
  }
  top[0]->mutable_cpu_data()[0] =
      all_counted > 0 ? static_cast<Dtype>(all_right) / all_counted : Dtype(0);
}

template <typename Dtype>
void AccuracyLayer<Dtype>::CheckTargets(const vector<Blob<Dtype>*>& bottom) const {
  const Dtype* labels = bottom[1]->cpu_data();
  for (int i = 0; i < bottom[1]->count(); ++i) {
    if (!Ignores(labels[i])) class_of_label(labels[i], i, classes_);
  }
}

template <typename Dtype>
void AccuracyLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>&,
                                        const vector<bool>& propagate_down,
                                        const vector<Blob<Dtype>*>&) {
  for (const bool wanted : propagate_down) CHECK(!wanted) << "Accuracy has no gradient";
}

INSTANTIATE_CLASS(AccuracyLayer);
REGISTER_LAYER_CLASS(Accuracy);

}  // namespace caffe
