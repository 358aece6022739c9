// The processes of one job (`mpirun -n N`): who am I, sums over all of them, broadcasts.
#ifndef CAFFE_PARALLEL_COMMUNICATOR_HPP_
#define CAFFE_PARALLEL_COMMUNICATOR_HPP_

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace caffe {

/// What the processes of a job do together. Every process makes the same calls in the
/// same order; a process that cannot go on calls Abort, which ends all of them.
///
/// parallel/mpi/ does it with MPI; a process that was started alone is a job of size 1,
/// in which every call returns at once.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  /// Starts replacing data[0..count) by its sum over all processes, in the background.
  /// Until Wait returns nobody else may touch the numbers. All processes get the same
  /// bits.
  virtual void StartSum(float* data, std::size_t count) = 0;
  virtual void StartSum(double* data, std::size_t count) = 0;
  /// Returns when every sum that was started is there; throws what one of them met.
  virtual void Wait() = 0;

  /// The bytes of rank 0 become those of all.
  virtual void Broadcast(void* data, std::size_t bytes) = 0;
  /// Rank 0 gets the texts of all, by rank; the others get nothing.
  virtual std::vector<std::string> Gather(const std::string& text) = 0;
  /// Returns when every process has come here.
  virtual void Barrier() = 0;

  /// Ends all processes of the job with this exit status.
  [[noreturn]] virtual void Abort(int status) = 0;
  /// The orderly end: waits for the others. Nothing may be called afterwards.
  virtual void Leave() = 0;

  /// The sum of one number over all processes.
  double Sum(double value);
};

/// The job of this process: of size 1 until it has joined others.
Communicator& communicator();
/// Joins the processes that mpirun (or srun) started together with this one. Where it
/// shares its cores with others and OMP_NUM_THREADS is not set, it takes its share of
/// threads. Throws if there are others and this build has no MPI.
Communicator& join_processes();
/// The orderly end of what join_processes began; then this process is alone again.
void leave_processes();
/// This process's number among those on its machine, in 0, 1, ...: which GPU it takes.
int local_rank();

/// Solvers that are made from here on in this thread train together with those of the
/// other processes: sets solver_count, solver_rank and multiprocess.
void train_together(const Communicator& processes);
/// Whether they do.
bool trains_together();

/// Of parallel/mpi/ or parallel/no_mpi/: the job, or an Error where there is no MPI.
std::unique_ptr<Communicator> connect_processes();

}  // namespace caffe

#endif  // CAFFE_PARALLEL_COMMUNICATOR_HPP_
