// main of caffe_tests: GoogleTest's options, and in a GPU build one positional device id.
// With CAFFE_TEST_MODE=gpu in the environment every test begins in GPU mode, so that the
// layers' whole suite runs on the device, too.
#include "caffe/test/test_caffe_main.hpp"

#include "caffe/device/device.hpp"

#ifndef CPU_ONLY
namespace caffe {
extern cudaDeviceProp CAFFE_TEST_CUDA_PROP;
cudaDeviceProp CAFFE_TEST_CUDA_PROP;
}  // namespace caffe

namespace {

void select_device(int argc, char** argv) {
  if (caffe::device::count() == 0) return;  // GPU tests skip then
  int device = 0;
  if (argc > 1) {
    device = std::atoi(argv[1]);
  } else if (CUDA_TEST_DEVICE >= 0) {
    device = CUDA_TEST_DEVICE;
  } else {
    CUDA_CHECK(cudaGetDevice(&device));
  }
  caffe::Caffe::SetDevice(device);
  CUDA_CHECK(cudaGetDeviceProperties(&caffe::CAFFE_TEST_CUDA_PROP, device));
  cout << "Device " << device << ": " << caffe::CAFFE_TEST_CUDA_PROP.name << endl;
}

}  // namespace
#endif

namespace {

/// Sets the mode anew before each test: some leave another behind.
class ModeOfTests : public ::testing::EmptyTestEventListener {
  void OnTestStart(const ::testing::TestInfo&) override {
    caffe::Caffe::set_mode(caffe::Caffe::GPU);
  }
};

}  // namespace

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  caffe::GlobalInit(&argc, &argv);
  // GlobalInit is made for programs and reports at INFO: tests want to see trouble only.
  caffe::SetMinLogLevel(caffe::LOG_ERROR);
#ifndef CPU_ONLY
  select_device(argc, argv);
#endif
  const char* mode = std::getenv("CAFFE_TEST_MODE");
  if (mode != nullptr && std::string(mode) == "gpu") {
    ::testing::UnitTest::GetInstance()->listeners().Append(new ModeOfTests);
  }
  return RUN_ALL_TESTS();
}
