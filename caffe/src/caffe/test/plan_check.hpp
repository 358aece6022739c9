// What tests of the plan share: nets as text, parameters filled, the same net unfused.
#ifndef CAFFE_SRC_TEST_PLAN_CHECK_HPP_
#define CAFFE_SRC_TEST_PLAN_CHECK_HPP_

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "caffe/net_plan.hpp"
#include "net_check.hpp"

namespace caffe {
namespace plan_check {

/// Runs its life with CAFFE_PLAN=off.
class PlanOff {
 public:
  PlanOff() { setenv("CAFFE_PLAN", "off", 1); }
  ~PlanOff() { unsetenv("CAFFE_PLAN"); }
};

template <typename Dtype>
class OpenNet : public Net<Dtype> {
 public:
  using Net<Dtype>::Net;
  int num_groups() const { return this->plan_->num_groups(); }
};

inline string Input(const string& name, int n, int c, int h, int w) {
  std::ostringstream text;
  text << "layer { name: '" << name << "' type: 'Input' top: '" << name
       << "' input_param { shape { dim: " << n << " dim: " << c << " dim: " << h
       << " dim: " << w << " } } } ";
  return text.str();
}

inline string LayerText(const string& type, const string& name, const string& bottom,
                        const string& top, const string& more = "") {
  return "layer { name: '" + name + "' type: '" + type + "' bottom: '" + bottom +
         "' top: '" + top + "' " + more + " } ";
}

inline string Conv(const string& name, const string& bottom, const string& top,
                   int outputs, const string& more = "kernel_size: 3 pad: 1") {
  return LayerText(
      "Convolution", name, bottom, top,
      "convolution_param { num_output: " + std::to_string(outputs) + " " + more + " }");
}

inline string BatchNorm(const string& name, const string& blob) {
  return LayerText("BatchNorm", name, blob, blob);
}
inline string Scale(const string& name, const string& blob) {
  return LayerText("Scale", name, blob, blob, "scale_param { bias_term: true }");
}
inline string ReLU(const string& name, const string& blob) {
  return LayerText("ReLU", name, blob, blob);
}

inline string Block(const string& name, const string& bottom, int outputs, bool relu,
                    const string& conv = "kernel_size: 3 pad: 1") {
  return Conv(name, bottom, name, outputs, conv) + BatchNorm("bn_" + name, name) +
         Scale("scale_" + name, name) + (relu ? ReLU("relu_" + name, name) : "");
}

inline string Sum(const string& name, const string& a, const string& b,
                  const string& more = "") {
  return "layer { name: '" + name + "' type: 'Eltwise' bottom: '" + a + "' bottom: '" +
         b + "' top: '" + name + "' " + more + " } ";
}

inline const string kInput = Input("x", 2, 3, 9, 11);

/// Two residual blocks, the first with a projection: the shape of a ResNet.
inline const string kResidual =
    kInput + Block("a", "x", 10, true) + Block("b", "a", 17, false) +
    Block("p", "a", 17, false, "kernel_size: 1") + Sum("s", "b", "p") +
    ReLU("relu_s", "s") + Block("c", "s", 17, true) + Block("d", "c", 17, false) +
    Sum("t", "s", "d") + ReLU("relu_t", "t") +
    Conv("head", "t", "head", 2, "kernel_size: 1");

/// Every parameter gets values of its own; variances are positive.
template <typename Dtype>
void FillParams(Net<Dtype>* net, unsigned int seed) {
  for (const auto& layer : net->layers()) {
    for (size_t j = 0; j < layer->blobs().size(); ++j) {
      Blob<Dtype>* blob = layer->blobs()[j].get();
      fill_random(blob, ++seed);
      Dtype* data = blob->mutable_cpu_data();
      if (string(layer->type()) != "BatchNorm") continue;
      for (int i = 0; i < blob->count() && j > 0; ++i) {
        data[i] = j == 1 ? 4 + 2 * data[i] : Dtype(2);
      }
    }
  }
}

template <typename Dtype>
std::unique_ptr<OpenNet<Dtype>> Make(const string& text, const string& keep = "",
                                     const vector<int>& shape = {}) {
  NetParameter param = net_param(text, TEST);
  std::istringstream names(keep);
  for (string name; names >> name;) param.add_keep(name);
  auto net = std::make_unique<OpenNet<Dtype>>(param);
  FillParams(net.get(), 5);
  if (!shape.empty()) net->input_blobs()[0]->Reshape(shape);
  fill_random(net->input_blobs()[0], 3);
  return net;
}

template <typename Dtype>
std::unique_ptr<OpenNet<Dtype>> MakeUnfused(const string& text,
                                            const vector<int>& shape = {}) {
  const PlanOff off;
  auto net = Make<Dtype>(text, "", shape);
  return net;
}

using FloatNet = OpenNet<float>;

inline const double kFolded = 2e-5;  // folding a BatchNorm rounds differently

}  // namespace plan_check
}  // namespace caffe

#endif  // CAFFE_SRC_TEST_PLAN_CHECK_HPP_
