// A build without MPI cannot join other processes.
#include "caffe/common.hpp"
#include "caffe/parallel/communicator.hpp"

namespace caffe {

std::unique_ptr<Communicator> connect_processes() {
  CAFFE_THROW(kGeneric)
      << "this process was started together with others (mpirun), but the engine was "
         "built "
         "without MPI: each would do the whole work. On Debian and Ubuntu install "
         "libopenmpi-dev and build again";
}

}  // namespace caffe
