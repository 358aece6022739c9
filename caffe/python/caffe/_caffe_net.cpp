// Net in Python: the compiled half; pycaffe.py adds dictionaries and passes over arrays.
#include <algorithm>

#include "_caffe.hpp"
#include "caffe/device/device.hpp"
#include "caffe/util/io.hpp"
#include "caffe/util/upgrade_proto.hpp"
#if __has_include("caffe/layers/memory_data_layer.hpp")
#include "caffe/layers/memory_data_layer.hpp"
#define CAFFE_HAS_MEMORY_DATA
#endif

namespace caffe {
namespace python {

namespace {

/// A Python callable as a net's callback.
class LayerCallback : public FloatNet::Callback {
 public:
  explicit LayerCallback(py::function function) : function_(std::move(function)) {}

 protected:
  void run(int layer) override {
    const Held gil;
    function_(layer);
  }

 private:
  py::function function_;
};

using AddCallback = void (FloatNet::*)(FloatNet::Callback*);

template <AddCallback add>
void Attach(FloatNet& net, const py::function& function) {
  auto callback = std::make_shared<LayerCallback>(function);
  AttachmentsOf(&net)->owned.push_back(callback);
  (net.*add)(callback.get());
}

struct NetOptions {
  int phase = 0;
  int level = 0;
  vector<string> stages;
  bool has_keep = false;
  vector<string> keep;
};

Phase CheckedPhase(int phase) {
  if (phase != TRAIN && phase != TEST) {
    CAFFE_THROW(kValue) << "phase is " << phase << "; it is caffe.TRAIN (" << TRAIN
                        << ") or caffe.TEST (" << TEST << ")";
  }
  return static_cast<Phase>(phase);
}

NetParameter ReadNet(const string& file, const NetOptions& options) {
  NetParameter param;
  ReadNetParamsFromTextFileOrDie(file, &param);
  param.mutable_state()->set_phase(CheckedPhase(options.phase));
  param.mutable_state()->set_level(options.level);
  for (const string& stage : options.stages) param.mutable_state()->add_stage(stage);
  if (options.has_keep) {
    param.clear_keep();
    // A lone empty name keeps nothing but the outputs.
    if (options.keep.empty()) param.add_keep("");
    for (const string& name : options.keep) param.add_keep(name);
  }
  return param;
}

shared_ptr<FloatNet> MakeNet(const string& file, const NetOptions& options,
                             const string& weights) {
  CheckReadable(file);
  const LayerFolders folders({LayerFolders::Of(file)});
  Released released;
  const shared_ptr<FloatNet> net = WithAttachments(new FloatNet(ReadNet(file, options)));
  if (!weights.empty()) net->CopyTrainedLayersFrom(weights);
  return net;
}

shared_ptr<FloatNet> NewNet(const py::object& network_file, int phase, int level,
                            const py::object& stages, const py::object& weights,
                            const py::object& keep) {
  NetOptions options;
  options.phase = phase;
  options.level = level;
  if (!stages.is_none()) options.stages = stages.cast<vector<string>>();
  options.has_keep = !keep.is_none();
  if (options.has_keep) options.keep = keep.cast<vector<string>>();
  return MakeNet(FileName(network_file), options,
                 weights.is_none() ? string() : FileName(weights));
}

shared_ptr<FloatNet> LegacyNet(const py::object& network_file,
                               const py::object& weights_file, int phase) {
  LOG_FIRST_N(WARNING, 1)
      << "Net(network_file, weights_file, phase) is deprecated; it is "
         "Net(network_file, phase, weights=weights_file) now";
  NetOptions options;
  options.phase = phase;
  const string weights = FileName(weights_file);
  CheckReadable(FileName(network_file));
  CheckReadable(weights);
  return MakeNet(FileName(network_file), options, weights);
}

template <typename Function>
void ForEachBlob(const FloatNet& net, int first, int last, Function&& function) {
  const int count = static_cast<int>(net.layers().size());
  for (int i = std::max(first, 0); i <= std::min(last, count - 1); ++i) {
    for (const int id : net.bottom_ids(i)) function(id);
    for (const int id : net.top_ids(i)) function(id);
  }
}

float Forward(FloatNet& net, int start, int end) {
  const LongCall call(&net);
  const float loss = net.ForwardFromTo(start, end);
  auto& shapes = AttachmentsOf(&net)->shapes;
  ForEachBlob(net, start, end, [&](int id) {
    const FloatBlob& blob = *net.blobs()[id];
    shapes[&blob] = blob.shape();
  });
  return loss;
}

/// Refuses to go backward through blobs that have another shape than at their last
/// forward.
void CheckShapesOfForward(const FloatNet& net, int start, int end) {
  const auto& shapes = AttachmentsOf(&net)->shapes;
  ForEachBlob(net, end, start, [&](int id) {
    const FloatBlob& blob = *net.blobs()[id];
    const auto found = shapes.find(&blob);
    if (found == shapes.end() || found->second == blob.shape()) return;
    FloatBlob before;
    before.Reshape(found->second);
    CAFFE_THROW(kValue) << "blob '" << net.blob_names()[id] << "' was reshaped from "
                        << before.shape_string() << " to " << blob.shape_string()
                        << " after the last forward; run forward again before backward";
  });
}

/// Another Python thread may read the gradients next, and errors of the device belong to
/// this call.
void FinishOnDevice() {
  if (Caffe::mode() == Caffe::GPU) device::synchronize();
}

void Backward(FloatNet& net, int start, int end) {
  const LongCall call(&net);
  CheckShapesOfForward(net, start, end);
  net.BackwardFromTo(start, end);
  FinishOnDevice();
}

float ForwardBackward(FloatNet& net) {
  const LongCall call(&net);
  const float loss = net.ForwardBackward();
  FinishOnDevice();
  return loss;
}

py::dict CopyFrom(FloatNet& net, const py::object& path) {
  const string file = FileName(path);
  CheckReadable(file);
  {
    const LongCall call(&net);
    net.CopyTrainedLayersFrom(file);
  }
  const WeightReport& report = net.weight_report();
  py::dict names;
  names["loaded"] = report.loaded;
  names["skipped"] = report.skipped;
  names["untouched"] = report.untouched;
  return names;
}

void Save(const FloatNet& net, const py::object& path) {
  const string file = FileName(path);
  const LongCall call(&net);
  NetParameter param;
  net.ToProto(&param, false);
  WriteProtoToBinaryFile(param, file);
}

/// Ids of a layer's blobs; IndexError for a layer that is not there.
const vector<int>& Ids(const FloatNet& net, int layer,
                       const vector<int>& (FloatNet::*ids)(int) const) {
  const int count = static_cast<int>(net.layers().size());
  if (layer < 0 || layer >= count) {
    CAFFE_THROW(kIndex) << "layer " << layer << " is not there: the net has " << count
                        << " layers, 0 to " << count - 1;
  }
  return (net.*ids)(layer);
}

#ifdef CAFFE_HAS_MEMORY_DATA
/// Checks an array of the MemoryData layer's input; `what` is "data array" or "labels
/// array".
void CheckInput(const py::array& array, const char* what, const vector<int>& sizes) {
  const string name(what);
  const auto check = [&name](bool holds, const char* text) {
    if (!holds) throw Error(name + text);
  };
  check((array.flags() & py::array::c_style) != 0, " must be C contiguous");
  check(array.ndim() == 4, " must be 4-d");
  check(py::isinstance<py::array_t<float>>(array), " must be float32");
  check(array.shape(1) == sizes[0], " has wrong number of channels");
  check(array.shape(2) == sizes[1], " has wrong height");
  check(array.shape(3) == sizes[2], " has wrong width");
}
#endif

void SetInputArrays(FloatNet& net, const py::array& data, const py::array& labels) {
  const char* refusal =
      "set_input_arrays may only be called if the first layer is a MemoryDataLayer";
#ifdef CAFFE_HAS_MEMORY_DATA
  const auto layer = std::dynamic_pointer_cast<MemoryDataLayer<float>>(net.layers()[0]);
  if (!layer) throw Error(refusal);
  CheckInput(data, "data array", {layer->channels(), layer->height(), layer->width()});
  CheckInput(labels, "labels array", {1, 1, 1});
  if (data.shape(0) != labels.shape(0)) {
    throw Error("data and labels must have the same first dimension");
  }
  if (data.shape(0) % layer->batch_size() != 0) {
    throw Error("first dimensions of input arrays must be a multiple of batch size");
  }
  auto kept = std::make_shared<std::pair<py::array, py::array>>(data, labels);
  AttachmentsOf(&net)->owned.push_back(kept);
  layer->Reset(static_cast<float*>(const_cast<void*>(data.data())),
               static_cast<float*>(const_cast<void*>(labels.data())),
               static_cast<int>(data.shape(0)));
#else
  (void)net, (void)data, (void)labels;
  throw Error(refusal);
#endif
}

/// A prototxt file, upgraded to today's format, as the bytes of a NetParameter.
py::bytes ReadNetBytes(const py::object& path) {
  const string file = FileName(path);
  CheckReadable(file);
  NetParameter param;
  ReadNetParamsFromTextFileOrDie(file, &param);
  return py::bytes(param.SerializeAsString());
}

}  // namespace

void BindNet(py::module_& module) {
  py::class_<FloatNet, shared_ptr<FloatNet>>(module, "Net", py::dynamic_attr(),
                                             "A net: layers, blobs and parameters.")
      .def(py::init(&NewNet), py::arg("network_file"), py::arg("phase"),
           py::arg("level") = 0, py::arg("stages") = py::none(),
           py::arg("weights") = py::none(), py::arg("keep") = py::none(),
           "Builds a net from a prototxt file.\n\n"
           "keep: names of blobs; then buffers are shared, and only outputs and these "
           "blobs "
           "can be read after a pass.")
      .def(py::init(&LegacyNet), py::arg("network_file"), py::arg("weights_file"),
           py::arg("phase"))
      .def("_forward", &Forward, py::arg("start"), py::arg("end"))
      .def("_backward", &Backward, py::arg("start"), py::arg("end"))
      .def("_forward_backward", &ForwardBackward,
           "Both passes as one, as a solver runs them: a GPU may replay them. The loss.")
      .def(
          "reshape",
          [](FloatNet& net) {
            const LongCall call(&net);
            net.Reshape();
          },
          "Gives all blobs the shapes that follow from the inputs', without a pass.")
      .def(
          "clear_param_diffs", [](FloatNet& net) { net.ClearParamDiffs(); },
          "Zeroes the gradients of all learnable parameters.")
      .def("copy_from", &CopyFrom, py::arg("filename"),
           "Loads weights by layer name; files for different layers can follow each "
           "other.\n\n"
           "Returns names of layers: 'loaded', 'skipped' (in the file only), 'untouched' "
           "(in "
           "the net only, with parameters).")
      .def(
          "share_with",
          [](FloatNet& net, const FloatNet& other) {
            net.ShareTrainedLayersWith(&other);
          },
          py::arg("other"), "Makes this net's parameters those of another net.")
      .def("save", &Save, py::arg("filename"), "Writes all parameters as a caffemodel.")
      .def(
          "save_hdf5",
          [](const FloatNet& net, const py::object& path) {
            const string file = FileName(path);
            const LongCall call(&net);
            net.ToHDF5(file, false);
          },
          py::arg("filename"))
      .def(
          "load_hdf5",
          [](FloatNet& net, const py::object& path) {
            const string file = FileName(path);
            CheckReadable(file);
            const LongCall call(&net);
            net.CopyTrainedLayersFromHDF5(file);
          },
          py::arg("filename"))
      .def("before_forward", &Attach<&FloatNet::add_before_forward>, py::arg("callback"),
           "Calls callback(layer_index) before each layer of a forward pass.")
      .def("after_forward", &Attach<&FloatNet::add_after_forward>, py::arg("callback"))
      .def("before_backward", &Attach<&FloatNet::add_before_backward>,
           py::arg("callback"))
      .def("after_backward", &Attach<&FloatNet::add_after_backward>, py::arg("callback"))
      .def_property_readonly(
          "layers", [](const FloatNet& net) { return net.layers(); },
          "The layers in net order; a Python layer is the user's object.")
      .def_property_readonly("_blobs",
                             [](const FloatNet& net) {
                               py::list blobs;
                               for (const auto& blob : net.blobs()) blobs.append(blob);
                               return blobs;
                             })
      .def_property_readonly("_layer_names", &FloatNet::layer_names)
      .def_property_readonly("_blob_names", &FloatNet::blob_names)
      .def_property_readonly("_blob_loss_weights", &FloatNet::blob_loss_weights)
      .def_property_readonly("_inputs", &FloatNet::input_blob_indices)
      .def_property_readonly("_outputs", &FloatNet::output_blob_indices)
      .def("_top_ids", [](const FloatNet& net,
                          int layer) { return Ids(net, layer, &FloatNet::top_ids); })
      .def("_bottom_ids",
           [](const FloatNet& net, int layer) {
             return Ids(net, layer, &FloatNet::bottom_ids);
           })
      .def("_set_input_arrays", &SetInputArrays, py::arg("data"), py::arg("labels"));

  module.def("read_net", &ReadNetBytes, py::arg("filename"),
             "A prototxt file of any version as the bytes of today's NetParameter.");
}

}  // namespace python
}  // namespace caffe
