// The processes of `mpirun -n N` in Python: what caffe.Processes stands on.
#include "_caffe.hpp"
#include "caffe/parallel/communicator.hpp"

namespace caffe {
namespace python {

namespace {

/// Rank, number of processes, and rank among those on this machine.
py::tuple Join() {
  const Communicator* processes = nullptr;
  {
    Released released;
    processes = &join_processes();
  }
  return py::make_tuple(processes->rank(), processes->size(), local_rank());
}

vector<double> SumOverProcesses(vector<double> values) {
  Released released;
  communicator().StartSum(values.data(), values.size());
  communicator().Wait();
  return values;
}

vector<double> BroadcastFromRoot(vector<double> values) {
  Released released;
  communicator().Broadcast(values.data(), values.size() * sizeof(double));
  return values;
}

}  // namespace

void BindProcesses(py::module_& module) {
  using WithoutLock = py::call_guard<Released>;
  module.def("join_processes", &Join,
             "Joins the processes of `mpirun -n N`: (rank, size, rank on this machine).");
  module.def("leave_processes", &leave_processes, WithoutLock(),
             "The orderly end; waits for the others.");
  module.def(
      "abort_processes", [](int status) { communicator().Abort(status); },
      py::arg("status"), WithoutLock(), "Ends all processes with this exit status.");
  module.def(
      "processes_barrier", [] { communicator().Barrier(); }, WithoutLock(),
      "Returns when every process has come here.");
  module.def("sum_over_processes", &SumOverProcesses, py::arg("values"),
             "The sums over all processes of their numbers, one by one.");
  module.def("broadcast_from_root", &BroadcastFromRoot, py::arg("values"),
             "The numbers that rank 0 has; all give as many.");
  module.def(
      "train_together", [] { train_together(communicator()); },
      "Makes solvers that this thread builds train with those of the other processes.");
}

}  // namespace python
}  // namespace caffe
