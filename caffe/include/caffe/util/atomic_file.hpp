// Writing a file so that its name shows either the old content or the whole new one.
#ifndef CAFFE_UTIL_ATOMIC_FILE_HPP_
#define CAFFE_UTIL_ATOMIC_FILE_HPP_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace caffe {

/// Bytes go to a temporary name beside the target; Commit syncs and renames. Without
/// Commit the target stays as it was and the temporary file goes away. A symbolic link
/// keeps pointing to its file, which is replaced; devices and pipes are written directly.
/// Errors: the folder is missing or not writable, the target is a folder, the disk is
/// full.
class AtomicFile {
 public:
  explicit AtomicFile(const std::string& path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void Write(const void* data, size_t size);
  void Write(std::string_view bytes) { Write(bytes.data(), bytes.size()); }
  /// The name that libraries which open files themselves (HDF5) write to, before Commit.
  const std::string& temporary_path() const { return temporary_; }
  void Commit();

 private:
  [[noreturn]] void Fail(const std::string& what, int error) const;

  std::string path_, target_, temporary_;
  int fd_ = -1;
  bool direct_ = false;
};

void WriteFileAtomically(const std::string& path, std::string_view bytes);
/// `write` gets the temporary name, creates or fills that file and closes it.
void WriteFileAtomically(const std::string& path,
                         const std::function<void(const std::string& temporary)>& write);

}  // namespace caffe

#endif  // CAFFE_UTIL_ATOMIC_FILE_HPP_
