// A file's bytes in memory without reading them all: mapped, and given back piece by
// piece.
#ifndef CAFFE_UTIL_MAPPED_FILE_HPP_
#define CAFFE_UTIL_MAPPED_FILE_HPP_

#include <string>
#include <string_view>

namespace caffe {

/// Maps a regular file; anything else that can be read (a pipe) is read into a buffer.
/// Errors: missing (kFileNotFound), a directory, not readable.
class MappedFile {
 public:
  explicit MappedFile(const std::string& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  std::string_view bytes() const { return bytes_; }
  const std::string& path() const { return path_; }
  /// The pages that lie wholly inside `span` leave this process's memory; reading them
  /// again brings them back.
  void Release(std::string_view span) const;

 private:
  std::string path_, buffer_;
  std::string_view bytes_;
  bool mapped_ = false;
};

}  // namespace caffe

#endif  // CAFFE_UTIL_MAPPED_FILE_HPP_
