// caffe.Error and its kinds in Python: each is a RuntimeError and the built-in class that
// fits.
#include <array>

#include "_caffe.hpp"

namespace caffe {
namespace python {

namespace {

struct ErrorClass {
  Error::Kind kind;
  const char* name;
  PyObject* built_in;
  const char* doc;
};

std::array<PyObject*, 8> g_classes{};

PyObject* NewClass(py::module_& module, const char* name, const py::tuple& bases,
                   const char* doc) {
  py::dict members;
  // KeyError would show the message as a literal, OSError as errno and text.
  members["__str__"] = py::handle(PyExc_Exception).attr("__str__");
  const string qualified = string("caffe.") + name;
  PyObject* created =
      PyErr_NewExceptionWithDoc(qualified.c_str(), doc, bases.ptr(), members.ptr());
  if (created == nullptr) throw py::error_already_set();
  module.add_object(name, py::reinterpret_borrow<py::object>(created));
  return created;
}

void Translate(std::exception_ptr pointer) {
  if (!pointer) return;
  try {
    std::rethrow_exception(pointer);
  } catch (const Error& error) {
    PyErr_SetString(g_classes[error.kind()], error.what());
  }
}

}  // namespace

void BindErrors(py::module_& module) {
  PyObject* base =
      NewClass(module, "Error", py::make_tuple(py::handle(PyExc_RuntimeError)),
               "What goes wrong in the engine; a RuntimeError.");
  g_classes.fill(base);
  const ErrorClass classes[] = {
      {Error::kValue, "InvalidValueError", PyExc_ValueError, "A value that cannot be."},
      {Error::kKey, "UnknownNameError", PyExc_KeyError, "A name that is not there."},
      {Error::kIndex, "OutOfRangeError", PyExc_IndexError, "An index out of range."},
      {Error::kFileNotFound, "MissingFileError", PyExc_FileNotFoundError,
       "A file that is not there or cannot be read."},
      {Error::kMemory, "OutOfMemoryError", PyExc_MemoryError,
       "More memory than there is."},
  };
  for (const ErrorClass& one : classes) {
    const py::tuple bases = py::make_tuple(py::handle(base), py::handle(one.built_in));
    g_classes[one.kind] = NewClass(module, one.name, bases, one.doc);
  }
  g_classes[Error::kInterrupted] = PyExc_KeyboardInterrupt;
  py::register_exception_translator(&Translate);
}

}  // namespace python
}  // namespace caffe
