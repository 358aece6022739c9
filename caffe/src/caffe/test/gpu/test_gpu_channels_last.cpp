// Nets whose blobs are channels-last on the device against the same nets row-major.
#include "../plan_check.hpp"
#include "gpu_matches_cpu.hpp"

namespace caffe {

using namespace plan_check;  // NOLINT: test helpers

namespace {

/// CAFFE_LAYOUT while it lives.
class Layout {
 public:
  explicit Layout(const char* value) { setenv("CAFFE_LAYOUT", value, 1); }
  ~Layout() { unsetenv("CAFFE_LAYOUT"); }
};

bool IsChannelsLast(const Net<float>& net, const string& blob) {
  return net.blob_by_name(blob)->data()->head_is_channels_last();
}

/// A strided convolution, a residual block with a projection, grouped and pointwise
/// convolutions, a deconvolution, and layers that only know row-major.
string Body(const string& norm) {
  const auto block = [&norm](const string& name, const string& bottom, int outputs,
                             bool relu, const string& conv) {
    return Conv(name, bottom, name, outputs, conv) +
           LayerText("BatchNorm", "bn_" + name, name, name, norm) +
           Scale("scale_" + name, name) + (relu ? ReLU("relu_" + name, name) : "");
  };
  const string plain = "kernel_size: 3 pad: 1";
  return kInput + block("a", "x", 8, true, "kernel_size: 3 pad: 1 stride: 2") +
         block("b", "a", 12, false, plain) +
         block("p", "a", 12, false, "kernel_size: 1") + Sum("s", "b", "p") +
         ReLU("relu_s", "s") +
         block("c", "s", 12, true, "kernel_size: 3 pad: 1 group: 3") +
         Conv("d", "c", "d", 12, "kernel_size: 1") +
         LayerText("ReLU", "relu_d", "d", "d", "relu_param { negative_slope: 0.1 }") +
         Sum("t", "s", "d", "eltwise_param { operation: MAX }") +
         LayerText("Pooling", "pool", "t", "pool",
                   "pooling_param { pool: MAX kernel_size: 3 stride: 2 }") +
         LayerText(
             "Deconvolution", "up", "pool", "up",
             "convolution_param { num_output: 6 kernel_size: 4 stride: 2 pad: 1 }") +
         ReLU("relu_up", "up") + Conv("head", "up", "head", 2, plain);
}

NetParameter Training(const string& keep, bool fixed_statistics = true) {
  NetParameter param = net_param(
      Body(fixed_statistics ? "batch_norm_param { use_global_stats: true }" : "") +
          LayerText("Power", "loss", "head", "loss",
                    "power_param { power: 2 } loss_weight: 1"),
      TRAIN);
  if (!keep.empty()) param.add_keep(keep);
  return param;
}

void Pass(Net<float>* net, unsigned int seed) {
  fill_random(net->input_blobs()[0], seed);
  net->ClearParamDiffs();
  net->ForwardBackward();
}

void ExpectSameGradients(const Net<float>& expected, const Net<float>& found) {
  for (size_t i = 0; i < expected.params().size(); ++i) {
    EXPECT_LE(relative_difference(gradient_of(*expected.params()[i]),
                                  gradient_of(*found.params()[i])),
              1e-4)
        << "parameter " << i;
  }
}

/// Two convolutions joined with the input, and cut again.
const string kJoined =
    kInput + Conv("a", "x", "a", 8) + Conv("b", "x", "b", 5) +
    "layer { name: 'cat' type: 'Concat' bottom: 'a' bottom: 'x' bottom: 'b' top: 'cat' } "
    "layer { name: 'cut' type: 'Slice' bottom: 'cat' top: 'c' top: 'd' "
    "        slice_param { slice_point: 10 } } " +
    Conv("e", "c", "e", 6) + Conv("f", "d", "f", 6) + Sum("s", "e", "f") +
    LayerText("Power", "loss", "s", "loss", "power_param { power: 2 } loss_weight: 1");

}  // namespace

TEST(GpuChannelsLast, ConcatAndSliceGoOnInThatOrder) {
  SKIP_WITHOUT_DEVICE();
  const GpuMode gpu;
  FloatNet rows(net_param(kJoined, TRAIN));
  FillParams(&rows, 5);
  const Layout layout("channels-last");
  FloatNet last(net_param(kJoined, TRAIN));
  FillParams(&last, 5);
  for (int pass = 0; pass < 2; ++pass) {
    Pass(&rows, 3 + pass);
    Pass(&last, 3 + pass);
    for (const char* name : {"cat", "c", "d"}) {
      EXPECT_TRUE(IsChannelsLast(last, name)) << name;
    }
    EXPECT_TRUE(last.blob_by_name("cat")->diff()->head_is_channels_last());
    ExpectSameGradients(rows, last);
    EXPECT_LE(relative_difference(values_of(*rows.blob_by_name("cat")),
                                  values_of(*last.blob_by_name("cat"))),
              1e-5);
  }
}

TEST(GpuChannelsLast, CropGoesOnInThatOrder) {
  SKIP_WITHOUT_DEVICE();
  const GpuMode gpu;
  const string text =
      kInput + Input("small", 2, 1, 4, 5) + Conv("a", "x", "a", 6) +
      "layer { name: 'crop' type: 'Crop' bottom: 'a' bottom: 'small' top: 'crop' "
      "        crop_param { axis: 2 offset: 1 offset: 3 } } " +
      Conv("b", "crop", "b", 3) +
      LayerText("Power", "loss", "b", "loss", "power_param { power: 2 } loss_weight: 1");
  FloatNet rows(net_param(text, TRAIN));
  FillParams(&rows, 5);
  const Layout layout("channels-last");
  FloatNet last(net_param(text, TRAIN));
  FillParams(&last, 5);
  Pass(&rows, 3);
  Pass(&last, 3);
  EXPECT_TRUE(IsChannelsLast(last, "crop"));
  EXPECT_TRUE(last.blob_by_name("a")->diff()->head_is_channels_last());
  EXPECT_EQ(values_of(*rows.blob_by_name("crop")).size(),
            values_of(*last.blob_by_name("crop")).size());
  EXPECT_LE(relative_difference(values_of(*rows.blob_by_name("crop")),
                                values_of(*last.blob_by_name("crop"))),
            1e-5);
  ExpectSameGradients(rows, last);
}

TEST(GpuChannelsLast, ATestNetEqualsItself) {
  SKIP_WITHOUT_DEVICE();
  const GpuMode gpu;
  for (const string& keep : {string(), string("head")}) {
    const auto rows = Make<float>(Body(""), keep);
    const Layout layout("channels-last");
    const auto last = Make<float>(Body(""), keep);
    for (int pass = 0; pass < 3; ++pass) {
      for (FloatNet* net : {rows.get(), last.get()}) {
        fill_random(net->input_blobs()[0], 7 + pass);
        net->Forward();
        if (pass == 1) FillParams(net, 11);  // what was folded and reordered is stale
      }
      EXPECT_TRUE(IsChannelsLast(*last, "head"));
      EXPECT_LE(relative_difference(values_of(*rows->blob_by_name("head")),
                                    values_of(*last->blob_by_name("head"))),
                1e-5)
          << "pass " << pass;
    }
    if (!keep.empty()) continue;
    for (const char* name : {"a", "b", "s", "c", "d", "t"}) {
      EXPECT_LE(relative_difference(values_of(*rows->blob_by_name(name)),
                                    values_of(*last->blob_by_name(name))),
                1e-5)
          << name;
    }
  }
}

TEST(GpuChannelsLast, APassThatIsRecordedSeesNewInputs) {
  SKIP_WITHOUT_DEVICE();
  const GpuMode gpu;
  const Layout layout("channels-last");
  const auto repeated = Make<float>(Body(""), "head");
  repeated->Forward();
  repeated->Forward();  // with the same input, as in a warm-up
  for (int pass = 0; pass < 3; ++pass) {
    const auto fresh = Make<float>(Body(""), "head");
    for (FloatNet* net : {repeated.get(), fresh.get()}) {
      fill_random(net->input_blobs()[0], 20 + pass);
      net->Forward();
    }
    EXPECT_LE(relative_difference(values_of(*fresh->blob_by_name("head")),
                                  values_of(*repeated->blob_by_name("head"))),
              1e-5)
        << "pass " << pass;
  }
}

TEST(GpuChannelsLast, InnerBlobsStayInThatOrder) {
  SKIP_WITHOUT_DEVICE();
  const GpuMode gpu;
  const Layout layout("channels-last");
  const auto net = Make<float>(Body(""));
  net->Forward();
  for (const char* name : {"a", "b", "p", "s", "c", "d", "up", "head"}) {
    EXPECT_TRUE(IsChannelsLast(*net, name)) << name;
  }
  EXPECT_FALSE(IsChannelsLast(*net, "pool"));
}

TEST(GpuChannelsLast, ATestNetHoldsItsWeightsInOneOrder) {
  SKIP_WITHOUT_DEVICE();
  const GpuMode gpu;
  const Layout layout("channels-last");
  const auto net = Make<float>(Body(""), "head");
  net->Forward();
  for (const char* layer : {"d", "head"}) {
    const SyncedMemory& weights = *net->layer_by_name(layer)->blobs()[0]->data();
    EXPECT_EQ(nullptr, weights.device_address()) << layer;
    EXPECT_NE(nullptr, weights.channels_last_address()) << layer;
  }
}

TEST(GpuChannelsLast, TrainingHasTheSameGradients) {
  SKIP_WITHOUT_DEVICE();
  const GpuMode gpu;
  for (const NetParameter& param :
       {Training("head"), Training(""), Training("", false)}) {
    FloatNet rows(param);
    FillParams(&rows, 5);
    const Layout layout("channels-last");
    FloatNet last(param);
    FillParams(&last, 5);
    for (int pass = 0; pass < 3; ++pass) {
      Pass(&rows, 3 + pass);
      Pass(&last, 3 + pass);
      ExpectSameGradients(rows, last);
    }
    if (!param.keep().empty()) continue;
    for (const char* name : {"a", "b", "p", "c"}) {
      EXPECT_TRUE(IsChannelsLast(last, name)) << name;
    }
    for (const char* name : {"a", "b", "p"}) {
      EXPECT_TRUE(last.blob_by_name(name)->diff()->head_is_channels_last()) << name;
    }
  }
}

TEST(GpuChannelsLast, GradientsOfInnerBlobsStayInThatOrder) {
  SKIP_WITHOUT_DEVICE();
  const GpuMode gpu;
  const Layout layout("channels-last");
  const string text = kInput + Conv("a", "x", "a", 8) + ReLU("ra", "a") +
                      Conv("b", "a", "b", 8) + Sum("s", "a", "b") + ReLU("rs", "s") +
                      Conv("head", "s", "head", 2) +
                      LayerText("Power", "loss", "head", "loss",
                                "power_param { power: 2 } loss_weight: 1");
  FloatNet net(net_param(text, TRAIN));
  FillParams(&net, 5);
  Pass(&net, 3);
  for (const char* name : {"a", "b", "s"}) {
    EXPECT_TRUE(net.blob_by_name(name)->diff()->head_is_channels_last()) << name;
  }
}

}  // namespace caffe
