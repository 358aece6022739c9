// Runs calls of one convolution by the fastest of what there is.
#ifndef CAFFE_DEVICE_CONVOLUTION_RUNNER_HPP_
#define CAFFE_DEVICE_CONVOLUTION_RUNNER_HPP_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "convolution_call.hpp"

namespace caffe {
namespace device {

template <typename Dtype>
class ConvolutionRunner {
 public:
  /// `plain`: unfolding and products alone.
  ConvolutionRunner(const ConvShape& shape, bool plain);

  void Run(const ConvCall<Dtype>& call);
  /// What ran last.
  const std::string& name() const { return name_; }

 private:
  struct Choice {
    ConvolutionOps<Dtype>* ops = nullptr;
    int variant = 0;
    bool fused = false;
    int index = 0;  ///< among the implementations
  };

  void Prepare();
  std::vector<Choice> Candidates(const ConvCall<Dtype>& call);
  Choice Choose(const ConvCall<Dtype>& call);
  bool CanRun(const Choice& choice, const ConvCall<Dtype>& call);
  Choice Fastest(const ConvCall<Dtype>& call, const std::string& key,
                 const std::vector<Choice>& candidates);
  void RunChoice(const Choice& choice, const ConvCall<Dtype>& call, bool trial);
  void ApplyTail(const ConvCall<Dtype>& call, const CallOperands<Dtype>& operands,
                 bool channels_last) const;

  ConvShape shape_;
  bool plain_, tf32_ = false;
  std::vector<std::unique_ptr<ConvolutionOps<Dtype>>> implementations_;
  std::map<int, Choice> choices_;  ///< by kind of call
  std::string name_;
};

}  // namespace device
}  // namespace caffe

#endif  // CAFFE_DEVICE_CONVOLUTION_RUNNER_HPP_
