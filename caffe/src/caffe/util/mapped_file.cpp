// Mapping a file, with the errors that opening one can have.
#include "caffe/util/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

#include "caffe/util/logging.hpp"

namespace caffe {

namespace {

class Descriptor {
 public:
  explicit Descriptor(const std::string& path)
      : value_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (value_ >= 0) return;
    const int error = errno;
    throw Error(path + ": cannot be opened: " + std::strerror(error),
                error == ENOENT ? Error::kFileNotFound : Error::kGeneric);
  }
  ~Descriptor() { ::close(value_); }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return value_; }

 private:
  int value_;
};

std::string ReadAll(const Descriptor& file, const std::string& path) {
  std::string bytes;
  char block[1 << 16];
  while (true) {
    const ssize_t got = ::read(file.get(), block, sizeof(block));
    if (got == 0) return bytes;
    if (got > 0) {
      bytes.append(block, static_cast<size_t>(got));
    } else if (errno != EINTR) {
      throw Error(path + ": cannot be read: " + std::strerror(errno));
    }
  }
}

}  // namespace

MappedFile::MappedFile(const std::string& path) : path_(path) {
  const Descriptor file(path);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) {
    throw Error(path + ": cannot be examined: " + std::strerror(errno));
  }
  if (S_ISDIR(status.st_mode))
    throw Error(path + ": is a folder, not a file", Error::kValue);
  if (S_ISREG(status.st_mode) && status.st_size > 0) {
    const size_t size = static_cast<size_t>(status.st_size);
    void* memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
    if (memory != MAP_FAILED) {
      mapped_ = true;
      bytes_ = std::string_view(static_cast<const char*>(memory), size);
      return;
    }
  }
  buffer_ = ReadAll(file, path);
  bytes_ = buffer_;
}

MappedFile::~MappedFile() {
  if (mapped_) ::munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

void MappedFile::Release(std::string_view span) const {
  if (!mapped_) return;
  const uintptr_t page = static_cast<uintptr_t>(::sysconf(_SC_PAGESIZE));
  const uintptr_t begin = reinterpret_cast<uintptr_t>(span.data());
  const uintptr_t first = (begin + page - 1) / page * page;
  const uintptr_t last = (begin + span.size()) / page * page;
  if (first < last)
    ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace caffe
