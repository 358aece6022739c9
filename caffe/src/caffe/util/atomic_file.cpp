// Temporary name, sync, rename.
#include "caffe/util/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "caffe/util/logging.hpp"

namespace caffe {

namespace {

/// The file that a symbolic link stands for; `path` itself where it is none.
std::string ResolveLink(const std::string& path) {
  const std::unique_ptr<char, decltype(&std::free)> real(
      ::realpath(path.c_str(), nullptr), &std::free);
  return real != nullptr ? std::string(real.get()) : path;
}

/// A name that no other writer uses: process and a running number.
std::string TemporaryName(const std::string& target) {
  static std::atomic<int> counter{0};
  return target + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(counter++);
}

/// Makes the rename itself last through a power cut; not every file system offers it.
void SyncFolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string folder =
      slash == std::string::npos ? "." : (slash == 0 ? "/" : path.substr(0, slash));
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  ::fsync(fd);
  ::close(fd);
}

}  // namespace

AtomicFile::AtomicFile(const std::string& path)
    : path_(path), target_(ResolveLink(path)) {
  struct stat status {};
  const bool exists = ::stat(target_.c_str(), &status) == 0;
  if (exists && S_ISDIR(status.st_mode)) {
    throw Error(path + ": is a folder, cannot be written as a file", Error::kValue);
  }
  direct_ = exists && !S_ISREG(status.st_mode);
  temporary_ = direct_ ? target_ : TemporaryName(target_);
  const int flags = direct_ ? O_WRONLY : O_WRONLY | O_CREAT | O_TRUNC;
  fd_ = ::open(temporary_.c_str(), flags | O_CLOEXEC, 0666);
  if (fd_ < 0) {
    const int error = errno;
    throw Error(path + ": cannot be written: " + std::strerror(error),
                error == ENOENT ? Error::kFileNotFound : Error::kGeneric);
  }
  if (exists && !direct_) ::fchmod(fd_, status.st_mode & 07777);
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (!direct_) ::unlink(temporary_.c_str());
}

void AtomicFile::Fail(const std::string& what, int error) const {
  std::string message = path_ + ": " + what + ": " + std::strerror(error);
  if (!direct_) message += "; the file under this name is unchanged";
  throw Error(message);
}

void AtomicFile::Write(const void* data, size_t size) {
  const char* bytes = static_cast<const char*>(data);
  while (size > 0) {
    // Linux writes at most 2 GiB at once.
    const ssize_t written = ::write(fd_, bytes, size < (1u << 30) ? size : (1u << 30));
    if (written < 0) {
      if (errno == EINTR) continue;
      Fail("cannot be written", errno);
    }
    bytes += written;
    size -= static_cast<size_t>(written);
  }
}

void AtomicFile::Commit() {
  if (direct_) return;
  // A library may have replaced the temporary file by its own: sync what is there under
  // the name.
  const int fd = ::open(temporary_.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) Fail("the temporary file has gone", errno);
  const bool synced = ::fsync(fd) == 0;
  const int sync_error = errno;
  ::close(fd);
  if (!synced) Fail("cannot be synced", sync_error);
  if (::rename(temporary_.c_str(), target_.c_str()) != 0)
    Fail("cannot be renamed", errno);
  ::close(fd_);
  fd_ = -1;
  SyncFolderOf(target_);
}

void WriteFileAtomically(const std::string& path, std::string_view bytes) {
  AtomicFile file(path);
  file.Write(bytes);
  file.Commit();
}

void WriteFileAtomically(const std::string& path,
                         const std::function<void(const std::string& temporary)>& write) {
  AtomicFile file(path);
  write(file.temporary_path());
  file.Commit();
}

}  // namespace caffe
