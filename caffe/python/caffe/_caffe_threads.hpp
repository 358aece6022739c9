// Giving up and taking back the interpreter lock, in threads that the interpreter may
// leave behind.
//
// At its end Python ends a daemon thread as soon as that asks for the lock, by unwinding
// its stack; in C++ code that ends the process, and so does the destruction of the engine
// below a thread that computes. So such a thread ends its pass between two layers and
// then stays where it is; the interpreter's end waits until all do.
#ifndef CAFFE_PYTHON_CAFFE_THREADS_HPP_
#define CAFFE_PYTHON_CAFFE_THREADS_HPP_

#include <pybind11/pybind11.h>

namespace caffe {
namespace python {

/// In place of py::gil_scoped_release: without the interpreter lock while it lives.
class Released {
 public:
  Released();
  /// Does not return at the interpreter's end.
  ~Released();
  Released(const Released&) = delete;
  Released& operator=(const Released&) = delete;

 private:
  PyThreadState* state_;
};

/// Throws at the interpreter's end, in a thread other than the main one that a Released
/// has led here.
void stop_at_end();

/// In place of py::gil_scoped_acquire, for Python code that the engine calls.
class Held {
 public:
  Held() : may_go_on_((stop_at_end(), true)) {}

 private:
  bool may_go_on_;
  pybind11::gil_scoped_acquire gil_;
};

bool is_main_thread();

/// Called once, when the module is imported.
void watch_threads();

}  // namespace python
}  // namespace caffe

#endif  // CAFFE_PYTHON_CAFFE_THREADS_HPP_
