// Per-thread settings, random generators and program start.
#include "caffe/common.hpp"

#include <unistd.h>

#include <atomic>
#include <cstring>
#include <ctime>
#include <random>

#include "caffe/device/device.hpp"
#include "caffe/device/thread_device.hpp"
#include "caffe/util/rng.hpp"

namespace caffe {

namespace {

std::atomic<int> g_default_mode{Caffe::CPU};

/// What SetDevice was told last, -1: nothing; CUDA starts each thread on device 0.
std::atomic<int> g_default_device{-1};
thread_local bool device_is_set = false;

/// A thread that has chosen none settles on the default when it first works in GPU mode.
void SettleDevice() {
  if (device_is_set) return;
  device_is_set = true;
  const int device_id = g_default_device;
  if (device_id >= 0) device::select(device_id);
}

unsigned int EntropySeed() {
  std::random_device device;
  return device();
}

}  // namespace

Caffe& Caffe::Get() {
  static thread_local Caffe instance;
  return instance;
}

Caffe::Caffe() = default;
Caffe::~Caffe() = default;

Caffe::Brew Caffe::mode() {
  const Caffe& caffe = Get();
  const Brew mode =
      caffe.mode_is_set_ ? caffe.mode_ : static_cast<Brew>(g_default_mode.load());
  if (mode == GPU) SettleDevice();
  return mode;
}

void Caffe::set_mode(Brew mode) {
  if (mode == GPU && !device::is_built()) {
    static std::atomic<bool> warned{false};
    if (!warned.exchange(true)) {
      LOG(WARNING)
          << "This is a CPU-only build: GPU mode is ignored, everything runs on the CPU.";
    }
    mode = CPU;
  }
  CHECK(mode == CPU || device::count() > 0)
      << "GPU mode: no CUDA device can be used here (nvidia-smi tells more)";
  Caffe& caffe = Get();
  caffe.mode_ = mode;
  caffe.mode_is_set_ = true;
  if (mode == GPU) SettleDevice();
  g_default_mode.store(mode);
}

void Caffe::set_random_seed(const unsigned int seed) {
  Get().random_generator_ = std::make_shared<RNG>(seed);
}

Caffe::RNG& Caffe::rng_stream() {
  Caffe& caffe = Get();
  if (!caffe.random_generator_) caffe.random_generator_ = std::make_shared<RNG>();
  return *caffe.random_generator_;
}

void set_device_of_thread(int device_id) {
  device::select(device_id);
  device_is_set = true;
}

void Caffe::SetDevice(const int device_id) {
  if (device::is_built()) {
    set_device_of_thread(device_id);
    g_default_device = device_id;
    return;
  }
  static std::atomic<bool> warned{false};
  if (!warned.exchange(true)) {
    LOG(WARNING) << "This is a CPU-only build: device " << device_id << " is ignored.";
  }
}
void Caffe::DeviceQuery() {
  if (device::is_built()) {
    LOG(INFO) << device::description();
  } else {
    LOG(WARNING) << "This is a CPU-only build: there is no device to query.";
  }
}
bool Caffe::CheckDevice(const int device_id) {
  return device::is_built() && device::is_usable(device_id);
}
int Caffe::FindDevice(const int start_id) {
  for (int id = start_id; device::is_built() && id < device::count(); ++id) {
    if (device::is_usable(id)) return id;
  }
  return -1;
}

void Caffe::set_logging(bool on) { SetMinLogLevel(on ? LOG_INFO : LOG_ERROR); }

class Caffe::RNG::Generator {
 public:
  explicit Generator(unsigned int seed) : engine_(seed) {}
  rng_t* engine() { return &engine_; }

 private:
  rng_t engine_;
};

Caffe::RNG::RNG() : generator_(std::make_shared<Generator>(EntropySeed())) {}
Caffe::RNG::RNG(unsigned int seed) : generator_(std::make_shared<Generator>(seed)) {}
void* Caffe::RNG::generator() { return static_cast<void*>(generator_->engine()); }

void GlobalInit(int* pargc, char*** pargv) {
  if (std::getenv("GLOG_minloglevel") == nullptr) SetMinLogLevel(LOG_INFO);
  if (pargc == nullptr || pargv == nullptr) return;
  int kept = 1;
  for (int i = 1; i < *pargc; ++i) {
    char* argument = (*pargv)[i];
    const char* name = argument;
    while (*name == '-') ++name;
    if (name == argument) {
      (*pargv)[kept++] = argument;
    } else if (std::strncmp(name, "minloglevel=", 12) == 0) {
      SetMinLogLevel(std::atoi(name + 12));
    } else if (std::strncmp(name, "logtostderr", 11) != 0 &&
               std::strncmp(name, "alsologtostderr", 15) != 0) {
      (*pargv)[kept++] = argument;
    }
  }
  *pargc = kept;
}

}  // namespace caffe
