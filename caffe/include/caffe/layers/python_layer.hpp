// PythonLayer: a layer whose work is done by a Python object. Needs pybind11 and lives in
// the Python module: libcaffe itself knows nothing of Python.
#ifndef CAFFE_LAYERS_PYTHON_LAYER_HPP_
#define CAFFE_LAYERS_PYTHON_LAYER_HPP_

#include <pybind11/pybind11.h>

#include <string>
#include <vector>

#include "caffe/layer.hpp"

namespace caffe {

/// The C++ side of an instance of a Python class that derives from `caffe.Layer`.
///
/// The class has setup(bottom, top), reshape(bottom, top), forward(bottom, top) and
/// backward(top, propagate_down, bottom); reshape is called exactly once before each
/// forward. It may offer get_state() and set_state(state), a value that JSON can hold, or
/// bytes: what a snapshot keeps. Its exceptions pass through the engine as they are, with
/// the layer's name added as a note.
///
/// differs: BVLC makes this a template over Dtype around a PyObject; here it is the
/// instance itself, for float nets, and a net that holds it keeps the Python object
/// alive.
class PythonLayer : public Layer<float>, public pybind11::trampoline_self_life_support {
 public:
  explicit PythonLayer(const LayerParameter& param) : Layer<float>(param) {}

  void LayerSetUp(const vector<Blob<float>*>& bottom,
                  const vector<Blob<float>*>& top) override;
  void Reshape(const vector<Blob<float>*>& bottom,
               const vector<Blob<float>*>& top) override;
  string GetState() override;
  void SetState(const string& state) override;
  const char* type() const override { return "Python"; }
  bool ShareInParallel() const override {
    return layer_param_.python_param().share_in_parallel();
  }

 protected:
  void Forward_cpu(const vector<Blob<float>*>& bottom,
                   const vector<Blob<float>*>& top) override;
  void Backward_cpu(const vector<Blob<float>*>& top, const vector<bool>& propagate_down,
                    const vector<Blob<float>*>& bottom) override;

 private:
  pybind11::object Self() const;
  template <typename Function>
  void Run(const char* method, Function&& function) const;
};

}  // namespace caffe

#endif  // CAFFE_LAYERS_PYTHON_LAYER_HPP_
