// The job of this process: who started it, its share of the cores, and the job of size 1.
#include "caffe/parallel/communicator.hpp"

#include <omp.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "caffe/common.hpp"

namespace caffe {

namespace {

class Alone : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void StartSum(float*, std::size_t) override {}
  void StartSum(double*, std::size_t) override {}
  void Wait() override {}
  void Broadcast(void*, std::size_t) override {}
  std::vector<std::string> Gather(const std::string& text) override { return {text}; }
  void Barrier() override {}
  [[noreturn]] void Abort(int status) override { std::_Exit(status); }
  void Leave() override {}
};

/// The first of these environment variables that holds a number, else `otherwise`.
int FromEnvironment(std::initializer_list<const char*> names, int otherwise) {
  for (const char* name : names) {
    const char* value = std::getenv(name);
    if (value != nullptr && *value >= '0' && *value <= '9') return std::atoi(value);
  }
  return otherwise;
}

/// How many processes were started together: Open MPI, then MPICH and its kin, then
/// Slurm.
int LaunchedProcesses() {
  const int size = FromEnvironment({"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}, 1);
  if (size > 1 || std::getenv("PMIX_RANK") == nullptr) return size;
  return FromEnvironment({"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"}, 1);
}

/// Threads of processes on one machine would fight for its cores. A launcher that binds a
/// process to cores of its own has shared them out already.
void ShareCores() {
  const int neighbours = FromEnvironment(
      {"OMPI_COMM_WORLD_LOCAL_SIZE", "MPI_LOCALNRANKS", "SLURM_NTASKS_PER_NODE"}, 1);
  if (neighbours < 2 || std::getenv("OMP_NUM_THREADS") != nullptr) return;
  const int mine = omp_get_num_procs();
  const bool is_bound = mine < sysconf(_SC_NPROCESSORS_ONLN);
  omp_set_num_threads(is_bound ? mine : std::max(1, mine / neighbours));
}

/// Never destroyed: at exit a process that failed must not wait for the others.
std::unique_ptr<Communicator>& Joined() {
  static auto& joined = *std::make_unique<std::unique_ptr<Communicator>>().release();
  return joined;
}

}  // namespace

double Communicator::Sum(double value) {
  StartSum(&value, 1);
  Wait();
  return value;
}

Communicator& communicator() {
  static Alone alone;
  return Joined() ? *Joined() : alone;
}

Communicator& join_processes() {
  if (!Joined() && LaunchedProcesses() > 1) {
    Joined() = connect_processes();
    ShareCores();
  }
  return communicator();
}

void leave_processes() {
  if (!Joined()) return;
  Joined()->Leave();
  Joined().reset();
  train_together(communicator());
}

int local_rank() {
  return FromEnvironment(
      {"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"},
      communicator().rank());
}

void train_together(const Communicator& processes) {
  Caffe::set_solver_count(processes.size());
  Caffe::set_solver_rank(processes.rank());
  Caffe::set_multiprocess(processes.size() > 1);
}

bool trains_together() {
  return Caffe::multiprocess() && communicator().size() > 1 &&
         Caffe::solver_count() == communicator().size();
}

}  // namespace caffe
