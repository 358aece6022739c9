// Resample on the device.
#include "caffe/device/launch.hpp"
#include "caffe/layers/resample_layer.hpp"
#include "caffe/util/math_functions_gpu.hpp"

namespace caffe {

namespace {

template <typename Dtype>
void resample(int count, const TapsView<Dtype>& rows, const TapsView<Dtype>& columns,
              const Dtype* in, Dtype* out) {
  launch(
      count, CAFFE_LAMBDA(int i) {
        const int x = i % columns.out, y = i / columns.out % rows.out;
        const int plane = i / columns.out / rows.out;
        const Dtype* from = in +
                            (std::int64_t{plane} * rows.in + rows.first[y]) * columns.in +
                            columns.first[x];
        Dtype sum = 0;
        for (int p = 0; p < columns.length[x]; ++p) {
          Dtype column = 0;
          for (int s = 0; s < rows.length[y]; ++s) {
            column +=
                rows.weight[y * rows.most + s] * from[std::int64_t{s} * columns.in + p];
          }
          sum += columns.weight[x * columns.most + p] * column;
        }
        out[i] = sum;
      });
}

}  // namespace

template <typename Dtype>
void ResampleLayer<Dtype>::Forward_gpu(const vector<Blob<Dtype>*>& bottom,
                                       const vector<Blob<Dtype>*>& top) {
  if (top[0]->count() == 0) return;
  resample(top[0]->count(), device_rows_.view(rows_), device_columns_.view(columns_),
           bottom[0]->gpu_data(), top[0]->mutable_gpu_data());
}

template <typename Dtype>
void ResampleLayer<Dtype>::Backward_gpu(const vector<Blob<Dtype>*>& top,
                                        const vector<bool>& propagate_down,
                                        const vector<Blob<Dtype>*>& bottom) {
  if (bottom.size() > 1 && propagate_down[1]) {
    caffe_gpu_set(bottom[1]->count(), Dtype(0), bottom[1]->mutable_gpu_diff());
  }
  if (!propagate_down[0] || bottom[0]->count() == 0) return;
  MakeAdjoint();
  resample(bottom[0]->count(), device_rows_back_.view(rows_back_),
           device_columns_back_.view(columns_back_), top[0]->gpu_diff(),
           bottom[0]->mutable_gpu_diff());
}

INSTANTIATE_LAYER_GPU_FUNCS(ResampleLayer);

}  // namespace caffe
