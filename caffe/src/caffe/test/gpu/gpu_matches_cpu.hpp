// A layer run on the host and on the device: tops, gradients and parameters must agree.
//
// Where there is no device the tests skip; CAFFE_DEVICE=simulated gives every build one.
#ifndef CAFFE_SRC_TEST_GPU_GPU_MATCHES_CPU_HPP_
#define CAFFE_SRC_TEST_GPU_GPU_MATCHES_CPU_HPP_

#include <limits>
#include <string>
#include <vector>

#include "../layer_check.hpp"
#include "caffe/device/device.hpp"
#include "caffe/util/math_functions_gpu.hpp"

namespace caffe {

/// GPU mode while it lives.
class GpuMode {
 public:
  GpuMode() : before_(Caffe::mode()) { Caffe::set_mode(Caffe::GPU); }
  ~GpuMode() { Caffe::set_mode(before_); }

 private:
  Caffe::Brew before_;
};

inline bool there_is_a_device() { return device::is_built() && device::count() > 0; }

/// First line of every GPU test.
#define SKIP_WITHOUT_DEVICE()      \
  if (!caffe::there_is_a_device()) \
  GTEST_SKIP() << "no device; CAFFE_DEVICE=simulated gives one"

struct GpuCheck {
  string text;  ///< a LayerParameter as prototxt
  vector<vector<int>> bottom_shapes;
  int tops = 1;
  bool in_place = false;
  vector<bool> propagate_down = {};  ///< empty: all; {false, ...}: as given
  bool backward = true;
  double tolerance = 2e-5;    ///< relative to max(1, |value|); double gets 1e-9
  double low = -2, high = 2;  ///< of the bottoms
  /// Changes bottoms before SetUp (labels, flows): called with the blob's number and
  /// data.
  void (*prepare)(int bottom, Blob<float>* blob) = nullptr;
  int runs = 2;  ///< forward and backward that often

  void Run() const {
    SKIP_WITHOUT_DEVICE();
    RunAs<float>(tolerance);
    RunAs<double>(1e-9);
  }

 private:
  template <typename Dtype>
  void Prepare(LayerUnderTest<Dtype>* test) const {
    for (size_t i = 0; i < test->bottom.size(); ++i) {
      Blob<Dtype>* blob = test->bottom[i];
      fill_uniform(blob, 31 + static_cast<unsigned int>(i), low, high);
      if (prepare == nullptr) continue;
      Blob<float> values(blob->shape());
      for (int k = 0; k < blob->count(); ++k) {
        values.mutable_cpu_data()[k] = static_cast<float>(blob->cpu_data()[k]);
      }
      prepare(static_cast<int>(i), &values);
      for (int k = 0; k < blob->count(); ++k) {
        blob->mutable_cpu_data()[k] = values.cpu_data()[k];
      }
    }
    Caffe::set_random_seed(5);
    test->SetUp();
    for (size_t p = 0; p < test->layer->blobs().size(); ++p) {
      Blob<Dtype>* blob = test->layer->blobs()[p].get();
      fill_uniform(blob, 61 + static_cast<unsigned int>(p), 0.5, 1.5);
      std::fill_n(blob->mutable_cpu_diff(), blob->count(), Dtype(0.25));
    }
  }

  /// Whatever is not written shows.
  template <typename Dtype>
  static void Spoil(SyncedMemory* memory) {
    const int count = static_cast<int>(memory->size() / sizeof(Dtype));
    if (Caffe::mode() == Caffe::GPU) {
      caffe_gpu_memset(memory->size(), 0xff, memory->mutable_gpu_data());
    } else {
      std::fill_n(static_cast<Dtype*>(memory->mutable_cpu_data()), count,
                  std::numeric_limits<Dtype>::quiet_NaN());
    }
  }

  template <typename Dtype>
  void Pass(LayerUnderTest<Dtype>* test, unsigned int seed) const {
    for (size_t i = in_place ? 1 : 0; i < test->top.size(); ++i) {
      if (test->top[i]->data() != test->bottom[0]->data()) {
        Spoil<Dtype>(test->top[i]->data().get());
      }
    }
    test->Forward();
    if (!backward) return;
    test->FillTopDiff(seed);
    for (size_t i = in_place ? 1 : 0; i < test->bottom.size(); ++i) {
      const bool shared = test->top[0]->diff() == test->bottom[i]->diff();
      if ((propagate_down.empty() || propagate_down[i]) && !shared) {
        Spoil<Dtype>(test->bottom[i]->diff().get());
      }
    }
    test->Backward(propagate_down);
  }

  template <typename Dtype>
  void RunAs(double limit) const {
    LayerUnderTest<Dtype> host(text, bottom_shapes, tops, in_place);
    LayerUnderTest<Dtype> gpu(text, bottom_shapes, tops, in_place);
    Caffe::set_mode(Caffe::CPU);
    Prepare(&host);
    Prepare(&gpu);
    const string type = string(sizeof(Dtype) == 4 ? "float: " : "double: ") + text + ": ";
    for (int run = 0; run < runs; ++run) {
      Pass(&host, 7 + run);
      {
        const GpuMode mode;
        Pass(&gpu, 7 + run);
      }
      if (!in_place || !backward) Compare(type, host, gpu, limit);
    }
    if (in_place && backward) Compare(type, host, gpu, limit);
  }

  template <typename Dtype>
  void Compare(const string& type, const LayerUnderTest<Dtype>& host,
               const LayerUnderTest<Dtype>& gpu, double limit) const {
    for (size_t i = 0; i < host.top.size(); ++i) {
      EXPECT_EQ(host.top[i]->shape(), gpu.top[i]->shape()) << type;
      expect_near(data_of(*host.top[i]), data_of(*gpu.top[i]), limit,
                  type + "top " + std::to_string(i));
    }
    if (!backward) return;
    for (size_t i = 0; i < host.bottom.size(); ++i) {
      if (!propagate_down.empty() && !propagate_down[i]) continue;
      expect_near(diff_of(*host.bottom[i]), diff_of(*gpu.bottom[i]), limit,
                  type + "diff of bottom " + std::to_string(i));
    }
    for (size_t p = 0; p < host.layer->blobs().size(); ++p) {
      expect_near(diff_of(*host.layer->blobs()[p]), diff_of(*gpu.layer->blobs()[p]),
                  10 * limit, type + "diff of parameter " + std::to_string(p));
    }
  }
};

}  // namespace caffe

#endif  // CAFFE_SRC_TEST_GPU_GPU_MATCHES_CPU_HPP_
