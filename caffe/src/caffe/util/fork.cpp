// fork() after the first pass, as Python's multiprocessing does: the child computes, too.
//
// The threads of an OpenMP pool do not live on in a child, whose first parallel loop
// would wait for them without an end. So whoever forks gives up his pool before; the next
// loop makes a new one, on both sides.
#ifdef _OPENMP
#include <omp.h>
#include <pthread.h>

namespace caffe {
namespace {

void end_pool() { omp_pause_resource_all(omp_pause_hard); }

[[maybe_unused]] const int registered = pthread_atfork(&end_pool, nullptr, nullptr);

}  // namespace
}  // namespace caffe
#endif
