// What every file of the engine and of other people's layers includes: names, macros and
// the per-thread settings of class Caffe.
#ifndef CAFFE_COMMON_HPP_
#define CAFFE_COMMON_HPP_

#include <climits>
#include <cmath>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "caffe/util/device_alternate.hpp"
#include "caffe/util/logging.hpp"

#define STRINGIFY(m) #m
#define AS_STRING(m) STRINGIFY(m)

/// Last item of a class: forbids copying. Leaves the access at `private`.
#define DISABLE_COPY_AND_ASSIGN(classname) \
 private:                                  \
  classname(const classname&) = delete;    \
  classname& operator=(const classname&) = delete

#define INSTANTIATE_CLASS(classname)   \
  char gInstantiationGuard##classname; \
  template class classname<float>;     \
  template class classname<double>

#define INSTANTIATE_LAYER_GPU_FORWARD(classname)                                         \
  template void classname<float>::Forward_gpu(const std::vector<Blob<float>*>& bottom,   \
                                              const std::vector<Blob<float>*>& top);     \
  template void classname<double>::Forward_gpu(const std::vector<Blob<double>*>& bottom, \
                                               const std::vector<Blob<double>*>& top)

#define INSTANTIATE_LAYER_GPU_BACKWARD(classname)                                        \
  template void classname<float>::Backward_gpu(const std::vector<Blob<float>*>& top,     \
                                               const std::vector<bool>& propagate_down,  \
                                               const std::vector<Blob<float>*>& bottom); \
  template void classname<double>::Backward_gpu(                                         \
      const std::vector<Blob<double>*>& top, const std::vector<bool>& propagate_down,    \
      const std::vector<Blob<double>*>& bottom)

#define INSTANTIATE_LAYER_GPU_FUNCS(classname) \
  INSTANTIATE_LAYER_GPU_FORWARD(classname);    \
  INSTANTIATE_LAYER_GPU_BACKWARD(classname)

#define NOT_IMPLEMENTED LOG(FATAL) << "Not Implemented Yet"

namespace cv {
class Mat;
}

namespace caffe {

using std::fstream;
using std::ios;
using std::isinf;
using std::isnan;
using std::iterator;
using std::make_pair;
using std::map;
using std::ostringstream;
using std::pair;
using std::set;
using std::shared_ptr;
using std::string;
using std::stringstream;
using std::vector;

/// Start of a program: takes the logging options (--minloglevel N, --logtostderr,
/// --alsologtostderr) out of the arguments and sets the log level to INFO.
void GlobalInit(int* pargc, char*** pargv);

/// Settings of the calling thread: device mode, random numbers, data-parallel rank.
///
/// differs: the mode set in the first thread is the default of all threads (in BVLC every
/// thread starts on the CPU whatever main has set); a thread's own set_mode overrides it.
class Caffe {
 public:
  ~Caffe();
  static Caffe& Get();

  enum Brew { CPU, GPU };

  /// A generator that owns an rng_t (std::mt19937). Copies share the generator.
  class RNG {
   public:
    RNG();
    explicit RNG(unsigned int seed);
    RNG(const RNG&) = default;
    RNG& operator=(const RNG&) = default;
    void* generator();

   private:
    class Generator;
    shared_ptr<Generator> generator_;
  };

  static RNG& rng_stream();

  static Brew mode();
  /// CPU-only build: GPU warns once and stays on the CPU, unless the simulated device is
  /// on (CAFFE_DEVICE=simulated). CUDA build without a device: an error.
  static void set_mode(Brew mode);
  static void set_random_seed(const unsigned int seed);
  static void SetDevice(const int device_id);
  static void DeviceQuery();
  static bool CheckDevice(const int device_id);
  static int FindDevice(const int start_id = 0);

  static int solver_count() { return Get().solver_count_; }
  static void set_solver_count(int count) { Get().solver_count_ = count; }
  static int solver_rank() { return Get().solver_rank_; }
  static void set_solver_rank(int rank) { Get().solver_rank_ = rank; }
  static bool multiprocess() { return Get().multiprocess_; }
  static void set_multiprocess(bool value) { Get().multiprocess_ = value; }
  static bool root_solver() { return Get().solver_rank_ == 0; }
  static void set_root_solver(bool root) { Get().solver_rank_ = root ? 0 : 1; }
  static void set_logging(bool on);

 private:
  Caffe();

  shared_ptr<RNG> random_generator_;
  bool mode_is_set_ = false;
  Brew mode_ = CPU;
  int solver_count_ = 1;
  int solver_rank_ = 0;
  bool multiprocess_ = false;

  DISABLE_COPY_AND_ASSIGN(Caffe);
};

}  // namespace caffe

#endif  // CAFFE_COMMON_HPP_
