// Blob and BlobVec in Python, and NumPy arrays over a blob's memory.
#include <pybind11/stl_bind.h>

#include "_caffe.hpp"

namespace caffe {
namespace python {

namespace {

/// The base of an array over a blob's memory: owns the memory, and counts as a view of
/// it, so that what is written through the array is seen by the next pass and the other
/// way round.
class MemoryView {
 public:
  explicit MemoryView(shared_ptr<SyncedMemory> memory) : memory_(std::move(memory)) {
    memory_->AddView();
  }
  ~MemoryView() { memory_->RemoveView(); }

 private:
  shared_ptr<SyncedMemory> memory_;
  DISABLE_COPY_AND_ASSIGN(MemoryView);
};

/// A writable float32 array of the blob's shape over `memory`.
py::array View(const FloatBlob& blob, const shared_ptr<SyncedMemory>& memory) {
  auto view = std::make_unique<MemoryView>(memory);  // first: it pins the memory
  memory->cpu_data();  // an error where the contents were not kept
  float* values = static_cast<float*>(memory->mutable_cpu_data());
  py::capsule base(view.get(), [](void* held) { delete static_cast<MemoryView*>(held); });
  view.release();
  const vector<py::ssize_t> shape(blob.shape().begin(), blob.shape().end());
  return py::array_t<float>(shape, values, base);
}

void RefuseAssignment(const char* name) {
  const string text = string("blob.") + name +
                      " cannot be replaced; write into it: blob." + name +
                      "[...] = values (blob.reshape(*dims) first for another shape)";
  PyErr_SetString(PyExc_AttributeError, text.c_str());
  throw py::error_already_set();
}

py::tuple Shape(const FloatBlob& blob) {
  py::tuple shape(blob.num_axes());
  for (int i = 0; i < blob.num_axes(); ++i) shape[i] = blob.shape(i);
  return shape;
}

string Describe(const FloatBlob& blob) {
  return "<caffe.Blob " + string(py::str(Shape(blob))) + ">";
}

void RefuseKeywords(const py::kwargs& kwargs, const char* function) {
  if (!kwargs.empty()) throw Error(string(function) + " takes no kwargs");
}

}  // namespace

vector<int> ShapeFrom(const py::args& dims, const char* function) {
  py::sequence given = dims;
  if (dims.size() == 1 && py::isinstance<py::sequence>(dims[0])) given = dims[0];
  if (py::len(given) > kMaxBlobAxes) {
    CAFFE_THROW(kValue) << function << ": " << py::len(given) << " axes; at most "
                        << kMaxBlobAxes << " are possible";
  }
  vector<int> shape;
  for (const py::handle dim : given) {
    const py::object index = py::reinterpret_steal<py::object>(PyNumber_Index(dim.ptr()));
    if (!index) throw py::error_already_set();
    const auto size = index.cast<long long>();
    if (size < 0 || size > INT_MAX) {
      CAFFE_THROW(kValue) << function << ": axis " << shape.size() << " cannot have size "
                          << size << "; sizes are between 0 and " << INT_MAX;
    }
    shape.push_back(static_cast<int>(size));
  }
  return shape;
}

py::list WrapBlobs(const vector<FloatBlob*>& blobs) {
  py::list wrapped;
  for (FloatBlob* blob : blobs) {
    const shared_ptr<FloatBlob> owner = blob->weak_from_this().lock();
    wrapped.append(owner ? py::cast(owner)
                         : py::cast(blob, py::return_value_policy::reference));
  }
  return wrapped;
}

void BindBlob(py::module_& module) {
  py::class_<FloatBlob, shared_ptr<FloatBlob>>(
      module, "Blob", py::dynamic_attr(),
      "An array of any number of axes with values (`data`) and gradients (`diff`).")
      .def_property(
          "data", [](const FloatBlob& blob) { return View(blob, blob.data()); },
          [](const FloatBlob&, const py::object&) { RefuseAssignment("data"); },
          "The values as a writable float32 array: a view that stays valid.")
      .def_property(
          "diff", [](const FloatBlob& blob) { return View(blob, blob.diff()); },
          [](const FloatBlob&, const py::object&) { RefuseAssignment("diff"); },
          "The gradients as a writable float32 array: a view that stays valid.")
      .def_property_readonly("shape", &Shape)
      .def_property_readonly("count", [](const FloatBlob& blob) { return blob.count(); })
      .def_property_readonly("num", &FloatBlob::num)
      .def_property_readonly("channels", &FloatBlob::channels)
      .def_property_readonly("height", &FloatBlob::height)
      .def_property_readonly("width", &FloatBlob::width)
      .def(
          "reshape",
          [](FloatBlob& blob, const py::args& dims, const py::kwargs& kwargs) {
            RefuseKeywords(kwargs, "Blob.reshape");
            blob.Reshape(ShapeFrom(dims, "Blob.reshape"));
          },
          "Gives this blob another shape; layers that read it follow at the next "
          "forward, or "
          "at net.reshape().")
      .def("__repr__", &Describe);

  py::bind_vector<BlobVec>(module, "BlobVec")
      .def(
          "add_blob",
          [](BlobVec& blobs, const py::args& dims, const py::kwargs& kwargs) {
            RefuseKeywords(kwargs, "BlobVec.add_blob");
            blobs.push_back(
                std::make_shared<FloatBlob>(ShapeFrom(dims, "BlobVec.add_blob")));
          },
          "Appends a blob of zeros of the given shape.");
}

}  // namespace python
}  // namespace caffe
