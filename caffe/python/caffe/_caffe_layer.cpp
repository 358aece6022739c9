// Layer in Python, and layers written in Python.
#include "_caffe.hpp"
#include "caffe/layer_factory.hpp"
#include "caffe/layers/python_layer.hpp"

namespace caffe {

namespace {

string Place(const LayerParameter& param) {
  return "layer '" + param.name() + "' (Python, " + param.python_param().module() + "." +
         param.python_param().layer() + ")";
}

/// Adds a line to what Python shows below the traceback.
void AddNote(const py::error_already_set& error, const string& note) {
  error.value().attr("add_note")(note);
}

py::object Json() { return py::module_::import("json"); }

}  // namespace

py::object PythonLayer::Self() const {
  const auto* layer = static_cast<const Layer<float>*>(this);
  const auto* type = py::detail::get_type_info(typeid(Layer<float>));
  return py::reinterpret_borrow<py::object>(py::detail::get_object_handle(layer, type));
}

/// Calls `function(self)` with the interpreter lock held; exceptions get the layer's
/// name.
template <typename Function>
void PythonLayer::Run(const char* method, Function&& function) const {
  const python::Held gil;
  try {
    function(Self());
  } catch (py::error_already_set& error) {
    AddNote(error, "in " + Place(layer_param_) + ", " + method);
    throw;
  }
}

void PythonLayer::LayerSetUp(const vector<Blob<float>*>& bottom,
                             const vector<Blob<float>*>& top) {
  if (phase_ == TRAIN && Caffe::solver_count() > 1 && !Caffe::multiprocess() &&
      !ShareInParallel()) {
    LOG(FATAL) << "PythonLayer does not support CLI Multi-GPU, use train.py";
  }
  Run("setup", [&](const py::object& self) {
    const py::str param_str(layer_param_.python_param().param_str());
    self.attr("param_str") = param_str;
    self.attr("param_str_") = param_str;
    self.attr("phase") = static_cast<int>(phase_);
    self.attr("setup")(python::WrapBlobs(bottom), python::WrapBlobs(top));
  });
}

void PythonLayer::Reshape(const vector<Blob<float>*>& bottom,
                          const vector<Blob<float>*>& top) {
  Run("reshape", [&](const py::object& self) {
    self.attr("reshape")(python::WrapBlobs(bottom), python::WrapBlobs(top));
  });
}

void PythonLayer::Forward_cpu(const vector<Blob<float>*>& bottom,
                              const vector<Blob<float>*>& top) {
  Run("forward", [&](const py::object& self) {
    self.attr("forward")(python::WrapBlobs(bottom), python::WrapBlobs(top));
  });
}

void PythonLayer::Backward_cpu(const vector<Blob<float>*>& top,
                               const vector<bool>& propagate_down,
                               const vector<Blob<float>*>& bottom) {
  Run("backward", [&](const py::object& self) {
    self.attr("backward")(python::WrapBlobs(top), propagate_down,
                          python::WrapBlobs(bottom));
  });
}

/// 'b' and the bytes, or 'j' and JSON.
string PythonLayer::GetState() {
  string state;
  Run("get_state", [&](const py::object& self) {
    if (!py::hasattr(self, "get_state")) return;
    const py::object value = self.attr("get_state")();
    state = py::isinstance<py::bytes>(value)
                ? "b" + value.cast<string>()
                : "j" + Json().attr("dumps")(value).cast<string>();
  });
  return state;
}

void PythonLayer::SetState(const string& state) {
  if (state.empty()) return;
  Run("set_state", [&](const py::object& self) {
    const py::bytes bytes(state.substr(1));
    self.attr("set_state")(state[0] == 'b' ? py::object(bytes)
                                           : Json().attr("loads")(bytes));
  });
}

namespace python {

namespace {

thread_local vector<string> t_layer_folders;

shared_ptr<FloatLayer> CreatePythonLayer(const LayerParameter& param) {
  const Held gil;
  const PythonParameter& python_param = param.python_param();
  const py::object found =
      py::module_::import("caffe.layer_modules")
          .attr("find_layer_class")(param.name(), python_param.module(),
                                    python_param.layer(), LayerFolders::Current());
  try {
    const py::object base = py::type::of<FloatLayer>();
    if (!PyType_Check(found.ptr()) || PyObject_IsSubclass(found.ptr(), base.ptr()) != 1) {
      throw py::type_error(Place(param) + ": " + string(py::repr(found)) +
                           " is not a class that derives from caffe.Layer");
    }
    return found(param).cast<shared_ptr<FloatLayer>>();
  } catch (py::error_already_set& error) {
    AddNote(error, "in " + Place(param) + ", constructor");
    throw;
  }
}

vector<FloatBlob*> Pointers(const vector<shared_ptr<FloatBlob>>& blobs) {
  vector<FloatBlob*> pointers;
  for (const auto& blob : blobs) pointers.push_back(blob.get());
  return pointers;
}

/// The blobs of a Python sequence; by hand, because BlobVec itself is opaque to pybind11.
vector<shared_ptr<FloatBlob>> Blobs(const py::sequence& sequence) {
  vector<shared_ptr<FloatBlob>> blobs;
  for (const py::handle blob : sequence)
    blobs.push_back(blob.cast<shared_ptr<FloatBlob>>());
  return blobs;
}

/// `Layer.setup` where a Python class does not define its own: nothing to do.
void SetUpBuiltIn(FloatLayer& layer, const py::sequence& bottom,
                  const py::sequence& top) {
  if (dynamic_cast<PythonLayer*>(&layer) != nullptr) return;
  layer.LayerSetUp(Pointers(Blobs(bottom)), Pointers(Blobs(top)));
}

void ReshapeBuiltIn(FloatLayer& layer, const py::sequence& bottom,
                    const py::sequence& top) {
  if (dynamic_cast<PythonLayer*>(&layer) != nullptr) {
    PyErr_SetString(
        PyExc_NotImplementedError,
        "the class has no method reshape(self, bottom, top); it gives the tops "
        "their shapes: top[0].reshape(*dims)");
    throw py::error_already_set();
  }
  layer.Reshape(Pointers(Blobs(bottom)), Pointers(Blobs(top)));
}

}  // namespace

LayerFolders::LayerFolders(vector<string> folders)
    : previous_(std::move(t_layer_folders)) {
  t_layer_folders = std::move(folders);
}

LayerFolders::~LayerFolders() { t_layer_folders = std::move(previous_); }

const vector<string>& LayerFolders::Current() { return t_layer_folders; }

string LayerFolders::Of(const string& file) {
  const size_t slash = file.rfind('/');
  return slash == string::npos ? "." : file.substr(0, slash + 1);
}

void BindLayer(py::module_& module) {
  py::class_<LayerParameter>(module, "LayerParameter", "What a layer is made from.")
      .def_property_readonly("name",
                             [](const LayerParameter& param) { return param.name(); })
      .def_property_readonly("type",
                             [](const LayerParameter& param) { return param.type(); })
      .def("SerializeToString",
           [](const LayerParameter& param) {
             return py::bytes(param.SerializeAsString());
           })
      .def("__str__", &LayerParameter::DebugString);

  py::class_<FloatLayer, PythonLayer, py::smart_holder>(
      module, "Layer", py::dynamic_attr(),
      "A layer of a net, and the base class of layers written in Python.")
      .def(py::init_alias<const LayerParameter&>(), py::arg("layer_parameter"))
      .def_property_readonly(
          "blobs", [](FloatLayer& layer) -> BlobVec& { return layer.blobs(); },
          py::return_value_policy::reference_internal, "The parameters.")
      .def_property_readonly("type", [](const FloatLayer& layer) { return layer.type(); })
      .def("setup", &SetUpBuiltIn, py::arg("bottom"), py::arg("top"))
      .def("reshape", &ReshapeBuiltIn, py::arg("bottom"), py::arg("top"));

  LayerRegistry<float>::AddCreator("Python", &CreatePythonLayer);
}

}  // namespace python
}  // namespace caffe
