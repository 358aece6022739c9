// The Python module caffe._caffe: its entry, and the settings, log and clock that it
// offers.
#include "_caffe.hpp"

#include <chrono>

#include "caffe/layer_factory.hpp"

namespace caffe {
namespace python {

namespace {

/// A stop watch.
class Timer {
 public:
  void Start() {
    if (running_) return;
    running_ = was_started_ = true;
    start_ = Clock::now();
  }
  void Stop() {
    if (!running_) return;
    running_ = false;
    elapsed_ = Clock::now() - start_;
  }
  double Milliseconds() {
    if (!was_started_) {
      LOG(WARNING) << "Timer has never been run before reading time.";
      return 0;
    }
    Stop();
    return std::chrono::duration<double, std::milli>(elapsed_).count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_;
  Clock::duration elapsed_{};
  bool running_ = false, was_started_ = false;
};

/// Stands in where there is no NCCL: scripts may make one, and it does nothing.
struct NoNccl {};

void SetLogLevel(int level, bool /*to_stderr: the log always goes there*/) {
  SetMinLogLevel(level);
}

}  // namespace

void BindSettings(py::module_& module) {
  module.def("set_mode_cpu", [] { Caffe::set_mode(Caffe::CPU); });
  module.def(
      "set_mode_gpu", [] { Caffe::set_mode(Caffe::GPU); },
      "Works on the GPU; in a CPU-only build warns once and stays on the CPU.");
  module.def("set_device", &Caffe::SetDevice, py::arg("id"),
             "Picks the GPU; in a CPU-only build warns once.");
  module.def("set_random_seed", &Caffe::set_random_seed, py::arg("seed"),
             "Seeds the random numbers of the calling thread.");
  module.def("solver_count", &Caffe::solver_count);
  module.def("set_solver_count", &Caffe::set_solver_count, py::arg("count"));
  module.def("solver_rank", &Caffe::solver_rank);
  module.def("set_solver_rank", &Caffe::set_solver_rank, py::arg("rank"));
  module.def("set_multiprocess", &Caffe::set_multiprocess, py::arg("on"));
  module.def("has_nccl", [] { return false; });
  module.def("init_log", &SetLogLevel, py::arg("level") = 0, py::arg("to_stderr") = true,
             "Sets the lowest level that is logged: 0 info, 1 warnings, 2 errors.");
  module.def(
      "log", [](const string& text) { LOG(INFO) << text; }, py::arg("s"),
      "Writes a line at level info.");
  module.def(
      "set_logging_disabled", [] { SetMinLogLevel(LOG_ERROR); }, "Logs errors only.");
  module.def("layer_type_list", &LayerRegistry<float>::LayerTypeList,
             "The names of all layer types, sorted.");

  py::class_<Timer>(module, "Timer", "A stop watch.")
      .def(py::init<>())
      .def("start", &Timer::Start, "Starts; nothing happens while it runs.")
      .def("stop", &Timer::Stop)
      .def_property_readonly(
          "ms", &Timer::Milliseconds,
          "Milliseconds between start and stop; stops a running watch.");

  py::class_<NoNccl>(module, "NCCL", "Does nothing: this build has no NCCL.")
      .def(py::init([](const py::object&, const py::object&) { return NoNccl(); }),
           py::arg("solver"), py::arg("uid"));

  // The originals are lists in all but name; ours are lists.
  const py::object list =
      py::reinterpret_borrow<py::object>(reinterpret_cast<PyObject*>(&PyList_Type));
  for (const char* name : {"RawBlobVec", "LayerVec", "NetVec", "StringVec", "IntVec",
                           "DtypeVec", "BoolVec"}) {
    module.attr(name) = list;
  }
}

}  // namespace python
}  // namespace caffe

PYBIND11_MODULE(_caffe, module) {
  module.doc() = "The compiled half of pycaffe.";
  caffe::python::BindErrors(module);
  caffe::python::BindBlob(module);
  caffe::python::BindLayer(module);
  caffe::python::BindNet(module);
  caffe::python::BindSolver(module);
  caffe::python::BindSettings(module);
  caffe::python::InstallInterruptCheck();
}
