// What the files of the Python module share: Python-side names of types, and how a long
// call is made (interpreter lock released, one pass at a time in a net, Ctrl-C answered).
#ifndef CAFFE_PYTHON_CAFFE_HPP_
#define CAFFE_PYTHON_CAFFE_HPP_

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "_caffe_threads.hpp"
#include "caffe/blob.hpp"
#include "caffe/common.hpp"
#include "caffe/layer.hpp"
#include "caffe/net.hpp"

namespace py = pybind11;

using BlobVec = std::vector<std::shared_ptr<caffe::Blob<float>>>;
PYBIND11_MAKE_OPAQUE(BlobVec)

namespace caffe {
namespace python {

using FloatBlob = Blob<float>;
using FloatLayer = Layer<float>;
using FloatNet = Net<float>;

void BindErrors(py::module_& module);
void BindBlob(py::module_& module);
void BindLayer(py::module_& module);
void BindNet(py::module_& module);
void BindSolver(py::module_& module);
void BindSettings(py::module_& module);
void BindProcesses(py::module_& module);

/// A file name from str, bytes or os.PathLike.
string FileName(const py::object& path);
/// Throws FileNotFoundError ("Could not open file ...") unless `path` is a file one can
/// read.
void CheckReadable(const string& path);
/// The shape that `reshape(*dims)` and `add_blob(*dims)` are given: ints, or one
/// sequence.
vector<int> ShapeFrom(const py::args& dims, const char* function);
/// Wrappers of blobs that keep them alive, as Python layers get them.
py::list WrapBlobs(const vector<FloatBlob*>& blobs);

/// Folders that are searched first for the modules of Python layers, while one of these
/// lives in the calling thread.
class LayerFolders {
 public:
  explicit LayerFolders(vector<string> folders);
  ~LayerFolders();
  static const vector<string>& Current();
  /// The folder of a file; "." for a bare name.
  static string Of(const string& file);

 private:
  vector<string> previous_;
  DISABLE_COPY_AND_ASSIGN(LayerFolders);
};

/// What Python adds to a net or solver: things that live as long as it.
struct Attachments {
  std::recursive_mutex running;
  vector<shared_ptr<void>> owned;
  /// Shapes of the blobs of a net at their last forward.
  std::map<const FloatBlob*, vector<int>> shapes;
};
shared_ptr<Attachments> AttachmentsOf(const void* owner);
void ForgetAttachments(const void* owner);

/// Owns a net or solver together with its attachments.
template <typename T>
shared_ptr<T> WithAttachments(T* owner) {
  ForgetAttachments(owner);  // of a dead one at the same address
  return shared_ptr<T>(owner, [](T* dying) {
    ForgetAttachments(dying);
    delete dying;
  });
}

/// A long call into the engine: releases the interpreter lock, then waits for its turn.
class LongCall {
 public:
  /// `part`: a solver's net, which must not run either.
  explicit LongCall(const void* owner, const void* part = nullptr)
      : owner_(owner), part_(part != nullptr ? part : owner) {}

 private:
  /// Keeps another thread's pass out.
  class Turn {
   public:
    explicit Turn(const void* owner)
        : attachments_(AttachmentsOf(owner)), running_(attachments_->running) {}

   private:
    shared_ptr<Attachments> attachments_;
    std::unique_lock<std::recursive_mutex> running_;
  };

  Released released_;
  Turn owner_, part_;
};

/// Between layers Ctrl-C is answered at once, save while one of these lives (a solver
/// finishes its iteration): then `Pending` asks for it, and `Finish` raises. A second one
/// ends at once.
class InterruptsDeferred {
 public:
  InterruptsDeferred();
  ~InterruptsDeferred();
  bool Pending() const;
  void Finish();

 private:
  py::object deferral_;  // null outside the main thread
  DISABLE_COPY_AND_ASSIGN(InterruptsDeferred);
};
/// Called once, after watch_threads().
void InstallInterruptCheck();

}  // namespace python
}  // namespace caffe

#endif  // CAFFE_PYTHON_CAFFE_HPP_
