// What tests of files share: a folder that goes away, the shared data.
#ifndef CAFFE_TEST_FILES_HPP_
#define CAFFE_TEST_FILES_HPP_

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "caffe/util/io.hpp"
#include "error_check.hpp"

namespace caffe {

class TemporaryFolder {
 public:
  TemporaryFolder() { MakeTempDir(&path_); }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::string File(const std::string& name) const { return path_ + "/" + name; }
  std::string Write(const std::string& name, const std::string& bytes) const {
    std::ofstream(File(name), std::ios::binary) << bytes;  // no sync: tests write often
    return File(name);
  }
  size_t FileCount() const {
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(path_)) {
      count += entry.exists() ? 1 : 0;
    }
    return count;
  }

 private:
  std::string path_;
};

/// A file beside the repository (SEGFLOW_SHARED, else ../shared of its root); "" where
/// absent.
inline std::string SharedFile(const std::string& name) {
  const char* given = std::getenv("SEGFLOW_SHARED");
  std::vector<std::string> roots = {"../../shared", "../shared"};
  if (given != nullptr) roots = {given};
  for (const std::string& root : roots) {
    const std::string path = root + "/" + name;
    if (std::filesystem::exists(path)) return path;
  }
  return "";
}

}  // namespace caffe

/// Skips the rest of a test, naming the file that a clone need not have.
#define CAFFE_NEED_SHARED(variable, name)                 \
  const std::string variable = ::caffe::SharedFile(name); \
  if (variable.empty()) GTEST_SKIP() << "../shared/" << name << " is not here"

#endif  // CAFFE_TEST_FILES_HPP_
