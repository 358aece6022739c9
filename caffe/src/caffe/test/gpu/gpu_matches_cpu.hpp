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
#include "caffe/device/graph.hpp"
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
  void FillBottoms(LayerUnderTest<Dtype>* test, unsigned int seed) const {
    for (size_t i = 0; i < test->bottom.size(); ++i) {
      Blob<Dtype>* blob = test->bottom[i];
      fill_uniform(blob, seed + static_cast<unsigned int>(i), low, high);
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
  }

  template <typename Dtype>
  void FillParameters(LayerUnderTest<Dtype>* test, unsigned int seed) const {
    for (size_t p = 0; p < test->layer->blobs().size(); ++p) {
      Blob<Dtype>* blob = test->layer->blobs()[p].get();
      fill_uniform(blob, seed + static_cast<unsigned int>(p), 0.5, 1.5);
      std::fill_n(blob->mutable_cpu_diff(), blob->count(), Dtype(0.25));
    }
  }

  template <typename Dtype>
  void Prepare(LayerUnderTest<Dtype>* test) const {
    FillBottoms(test, 31);
    Caffe::set_random_seed(5);
    test->SetUp();
    FillParameters(test, 61);
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
  void SpoilTops(LayerUnderTest<Dtype>* test) const {
    for (size_t i = in_place ? 1 : 0; i < test->top.size(); ++i) {
      if (test->top[i]->data() != test->bottom[0]->data()) {
        Spoil<Dtype>(test->top[i]->data().get());
      }
    }
  }

  template <typename Dtype>
  void FillDiffs(LayerUnderTest<Dtype>* test, unsigned int seed) const {
    test->FillTopDiff(seed);
    for (size_t i = in_place ? 1 : 0; i < test->bottom.size(); ++i) {
      const bool shared = test->top[0]->diff() == test->bottom[i]->diff();
      if ((propagate_down.empty() || propagate_down[i]) && !shared) {
        Spoil<Dtype>(test->bottom[i]->diff().get());
      }
    }
  }

  template <typename Dtype>
  void Pass(LayerUnderTest<Dtype>* test, unsigned int seed) const {
    SpoilTops(test);
    test->Forward();
    if (!backward) return;
    FillDiffs(test, seed);
    test->Backward(propagate_down);
  }

  /// New values everywhere, on the device where the mode is that.
  template <typename Dtype>
  void Refill(LayerUnderTest<Dtype>* test, unsigned int seed) const {
    FillBottoms(test, seed);
    FillParameters(test, seed + 30);
    SpoilTops(test);
    if (backward) FillDiffs(test, seed + 60);
    if (Caffe::mode() == Caffe::CPU) return;
    for (const Blob<Dtype>* blob : test->bottom) blob->gpu_data();
    for (const Blob<Dtype>* blob : test->top) {
      if (backward) blob->gpu_diff();
    }
    for (const auto& blob : test->layer->blobs()) {
      blob->gpu_data();
      blob->gpu_diff();
    }
  }

  /// What a replay has written counts.
  template <typename Dtype>
  void MarkWritten(LayerUnderTest<Dtype>* test) const {
    for (Blob<Dtype>* blob : test->top) blob->data()->MarkDeviceWritten(false);
    for (const auto& blob : test->layer->blobs()) {
      blob->data()->MarkDeviceWritten(false);
      blob->diff()->MarkDeviceWritten(false);
    }
    for (size_t i = 0; i < test->bottom.size() && backward; ++i) {
      if (propagate_down.empty() || propagate_down[i]) {
        test->bottom[i]->diff()->MarkDeviceWritten(false);
      }
    }
  }

  /// A layer that says that its work repeats is recorded with some values and replayed
  /// with others.
  template <typename Dtype>
  void CheckReplay(const string& type, LayerUnderTest<Dtype>* host,
                   LayerUnderTest<Dtype>* gpu, double limit) const {
    if (!device::can_record()) return;
    device::PrivateMemory memory;
    device::Graph graph;
    {
      const GpuMode mode;
      const device::PrivateMemory::Use use(&memory);
      Refill(gpu, 131);
      if (!gpu->layer->RepeatsOnDevice()) return;  // a parameter decides
      ASSERT_TRUE(graph.Record([&] {
        gpu->Forward();
        if (backward) gpu->Backward(propagate_down);
      })) << type
          << "it cannot be recorded";
      Refill(gpu, 231);
      if (!gpu->layer->RepeatsOnDevice()) return;
      graph.Replay();
      MarkWritten(gpu);
    }
    Refill(host, 231);
    host->Forward();
    if (backward) host->Backward(propagate_down);
    Compare(type + "replayed: ", *host, *gpu, limit);
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
    CheckReplay(type, &host, &gpu, limit);
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
