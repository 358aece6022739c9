// Writing a caffemodel layer by layer, so that the whole net is never in memory as
// messages.
#ifndef CAFFE_UTIL_CAFFEMODEL_WRITER_HPP_
#define CAFFE_UTIL_CAFFEMODEL_WRITER_HPP_

#include <cstdint>
#include <string>

#include "caffe/proto/caffe.pb.h"
#include "caffe/util/atomic_file.hpp"

namespace caffe {

/// The file appears under its name with Commit; without it nothing changes.
/// Errors: disk full, folder missing; a file of 2 GiB or more, which no Caffe could read.
class CaffemodelWriter {
 public:
  CaffemodelWriter(const std::string& path, const std::string& net_name);
  /// With blobs; clashing fields get the number that the fork of the layer's type knows.
  void Write(const LayerParameter& layer);
  void Commit();

 private:
  friend void WriteNetParameter(const std::string& path, const NetParameter& net);
  explicit CaffemodelWriter(const std::string& path);
  void Append(const std::string& bytes);

  AtomicFile file_;
  std::string path_;
  int64_t size_ = 0;
};

/// Writes a whole net in the same form, all of its net-level fields included but `keep`.
void WriteNetParameter(const std::string& path, const NetParameter& net);

}  // namespace caffe

#endif  // CAFFE_UTIL_CAFFEMODEL_WRITER_HPP_
