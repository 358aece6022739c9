// The Python module caffe._caffe: its entry, and the settings, log and clock that it
// offers.
#include "_caffe.hpp"

#include <chrono>
#include <memory>

#include "caffe/device/device.hpp"
#include "caffe/device/stopwatch.hpp"
#include "caffe/layer_factory.hpp"

namespace caffe {
namespace python {

namespace {

/// A stop watch: the device's clock in GPU mode, the host's in CPU mode.
class Timer {
 public:
  void Start() {
    if (running_) return;
    running_ = true;
    watch_.reset();
    if (Caffe::mode() == Caffe::GPU) {
      watch_ = std::make_unique<device::Stopwatch>();
      watch_->Start();
    }
    start_ = Clock::now();
    was_started_ = true;
  }
  /// Does not wait for the device: work may be asked for on and on, and read later.
  void Stop() {
    if (!running_) return;
    running_ = false;
    elapsed_ = Clock::now() - start_;
    if (watch_) watch_->Stop();
  }
  double Milliseconds() {
    if (!was_started_) {
      LOG(WARNING) << "Timer has never been run before reading time.";
      return 0;
    }
    Stop();
    if (watch_) return watch_->milliseconds();
    return std::chrono::duration<double, std::milli>(elapsed_).count();
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point start_;
  Clock::duration elapsed_{};
  std::unique_ptr<device::Stopwatch> watch_;
  bool running_ = false, was_started_ = false;
};

/// What the process holds on the device; zeros where there is none.
py::dict DeviceMemory(bool reset_peak) {
  py::dict bytes;
  bytes["allocated"] = device::allocated_bytes();
  bytes["peak"] = device::peak_allocated_bytes();
  if (reset_peak) device::reset_peak_allocated_bytes();
  return bytes;
}

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
  module.def("device_count", &device::count,
             "GPUs that can be used; 0 in a CPU-only build.");
  module.def("device_name", &device::name, py::arg("id") = 0, "What the GPU is called.");
  module.def(
      "device_memory", &DeviceMemory, py::arg("reset_peak") = false,
      "Bytes of GPU memory that this process's buffers hold: a dict of 'allocated' "
      "and 'peak',\nthe most there were at once (since the last reset_peak).");
  module.def("empty_device_cache", &device::empty_cache,
             "Gives freed GPU memory that is kept for the next buffers back to the "
             "driver.");
  module.def("synchronize", &device::synchronize, py::call_guard<Released>(),
             "Waits until the GPU has done what the calling thread asked for.");
  module.def("allow_tf32", &device::allow_tf32, py::arg("allowed") = true,
             "Lets products on the GPU round their factors to TF32 (10 bits of "
             "mantissa): faster,\nerrors of about 1e-3. Off by default; CAFFE_TF32=1 in "
             "the environment turns it on.");
  module.def("tf32_allowed", &device::tf32_allowed, "Whether they may.");
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

  py::class_<Timer>(module, "Timer",
                    "A stop watch: the GPU's clock in GPU mode, the host's in CPU mode.")
      .def(py::init<>())
      .def("start", &Timer::Start, "Starts; nothing happens while it runs.")
      .def("stop", &Timer::Stop, "Does not wait for the GPU; reading `ms` does.")
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
  caffe::python::BindProcesses(module);
  caffe::python::watch_threads();
  caffe::python::InstallInterruptCheck();
}
