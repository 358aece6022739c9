// Prefetching data layers: batches are on the device before forward asks for them.
#include "../net_check.hpp"
#include "caffe/layers/base_data_layer.hpp"
#include "gpu_matches_cpu.hpp"

namespace caffe {

namespace {

constexpr int kItems = 5, kValues = 4000;  // large enough for pinned memory

float batch_value(int batch, int i) {
  return static_cast<float>(batch) + 1e-4f * static_cast<float>(i % 97);
}

/// Batch number b holds batch_value(b, i); label b. Fails at batch `power_param.shift`,
/// if that is given.
template <typename Dtype>
class TestBatchLayer : public BasePrefetchingDataLayer<Dtype> {
 public:
  using BasePrefetchingDataLayer<Dtype>::BasePrefetchingDataLayer;
  ~TestBatchLayer() override { this->StopInternalThread(); }
  const char* type() const override { return "TestBatch"; }
  void DataLayerSetUp(const vector<Blob<Dtype>*>&,
                      const vector<Blob<Dtype>*>& top) override {
    top[0]->Reshape(vector<int>{kItems, kValues});
    top[1]->Reshape(vector<int>{kItems});
    for (const auto& batch : this->prefetch_) {
      batch->data_.ReshapeLike(*top[0]);
      batch->label_.ReshapeLike(*top[1]);
    }
  }
  const Batch<Dtype>* current() const { return this->prefetch_current_; }
  size_t batches() const { return this->prefetch_.size(); }

 protected:
  void load_batch(Batch<Dtype>* batch) override {
    const float failing = this->layer_param_.power_param().shift();
    if (failing > 0 && next_ == static_cast<int>(failing)) {
      CAFFE_THROW(kValue) << "batch " << next_ << " cannot be read";
    }
    for (int i = 0; i < batch->data_.count(); ++i) {
      batch->data_.mutable_cpu_data()[i] = batch_value(next_, i);
    }
    for (int i = 0; i < kItems; ++i) batch->label_.mutable_cpu_data()[i] = Dtype(next_);
    ++next_;
  }

 private:
  int next_ = 0;
};

string batch_net(const string& more) {
  static const bool done = [] {
    LayerRegistry<float>::AddCreator("TestBatch", [](const LayerParameter& param) {
      return shared_ptr<Layer<float>>(new TestBatchLayer<float>(param));
    });
    return true;
  }();
  (void)done;
  return "layer { name: 'data' type: 'TestBatch' top: 'x' top: 't' " + more +
         " } layer { name: 'double' type: 'Power' bottom: 'x' top: 'y' power_param { "
         "scale: 2 } }";
}

TestBatchLayer<float>& data_layer(const Net<float>& net) {
  return dynamic_cast<TestBatchLayer<float>&>(*net.layer_by_name("data"));
}

void expect_batches_in_order(Net<float>* net) {
  for (int batch = 0; batch < 12; ++batch) {
    net->Forward();
    const auto x = net->blob_by_name("x"), y = net->blob_by_name("y");
    ASSERT_EQ(kItems * kValues, x->count());
    for (int i = 0; i < x->count(); ++i) {
      ASSERT_EQ(batch_value(batch, i), x->cpu_data()[i]) << batch;
      ASSERT_EQ(2 * batch_value(batch, i), y->cpu_data()[i]) << batch;
    }
    ASSERT_EQ(batch, net->blob_by_name("t")->cpu_data()[kItems - 1]);
  }
}

}  // namespace

TEST(PrefetchingDataLayer, HandsBatchesOverInTheirOrder) {
  Caffe::set_mode(Caffe::CPU);
  for (const char* more :
       {"", "data_param { prefetch: 1 }", "data_param { prefetch: 0 }"}) {
    const auto net = make_net<float>(batch_net(more));
    expect_batches_in_order(net.get());
    EXPECT_EQ(*more == 0 ? 4u : 1u, data_layer(*net).batches());
  }
}

TEST(PrefetchingDataLayer, AnErrorOfTheThreadIsForwards) {
  const auto net = make_net<float>(batch_net("power_param { shift: 2 }"));
  net->Forward();
  net->Forward();
  try {
    net->Forward();
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_TRUE(has_words(error.what(), {"batch 2 cannot be read"}));
  }
}

TEST(GpuPrefetchingDataLayer, HandsBatchesOverInTheirOrder) {
  SKIP_WITHOUT_DEVICE();
  const GpuMode mode;
  for (const Phase phase : {TRAIN, TEST}) {
    for (const char* more : {"", "data_param { prefetch: 1 }"}) {
      const auto net = make_net<float>(batch_net(more), phase);
      expect_batches_in_order(net.get());
    }
  }
}

TEST(GpuPrefetchingDataLayer, TheThreadBringsBatchesToTheDevice) {
  SKIP_WITHOUT_DEVICE();
  const GpuMode mode;
  const auto net = make_net<float>(batch_net(""));
  const void* place = nullptr;
  for (int pass = 0; pass < 6; ++pass) {
    net->Forward();
    const Batch<float>* batch = data_layer(*net).current();
    EXPECT_EQ(SyncedMemory::SYNCED, batch->data_.data()->head());
    const auto x = net->blob_by_name("x");
    EXPECT_EQ(SyncedMemory::HEAD_AT_GPU, x->data()->head()) << "copied over the host";
    EXPECT_TRUE(pass == 0 || place == x->gpu_data()) << "a graph reads it from one place";
    place = x->gpu_data();
  }
}

}  // namespace caffe
