// Reading a caffemodel layer by layer, so that the whole file is never in memory as
// messages.
#ifndef CAFFE_UTIL_CAFFEMODEL_READER_HPP_
#define CAFFE_UTIL_CAFFEMODEL_READER_HPP_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "caffe/proto/caffe.pb.h"
#include "caffe/util/mapped_file.hpp"
#include "caffe/util/stored_blob.hpp"

namespace caffe {

/// Yields the layers of a binary caffemodel in file order, upgraded to the current form:
/// V0 and V1 layers, clashing field numbers (wire_format.hpp), BatchNorm rates, half
/// floats.
///
/// The constructor walks over the whole structure (not the values), so a file that is cut
/// off or is no caffemodel is refused before anything has been loaded. Errors: missing
/// file (kFileNotFound); directory; empty, cut off, HDF5, text or random bytes, both
/// `layer` and `layers` (kValue).
class CaffemodelReader {
 public:
  explicit CaffemodelReader(const std::string& path);

  /// Everything of the net but its layers.
  const NetParameter& header() const { return header_; }
  size_t layer_count() const { return layers_.size(); }

  /// The next layer with its blobs as messages; false at the end.
  bool Next(LayerParameter* layer);
  /// The next layer without its blobs, and the blobs as they lie in the file: the way
  /// that needs no memory of the size of the weights. The blobs are valid until the next
  /// Next().
  bool Next(LayerParameter* definition, std::vector<StoredBlob>* blobs);
  /// Starts again with the first layer.
  void Rewind();

 private:
  struct Span {
    std::string_view bytes;
    bool v1 = false;
  };

  void Index();
  void CheckLayer(const Span& span) const;
  bool ReadV1Definition(const Span& span, LayerParameter* layer,
                        std::vector<std::string_view>* blobs) const;
  void ReadDefinition(const Span& span, LayerParameter* layer,
                      std::vector<std::string_view>* blobs) const;
  void DropUnknownFields(LayerParameter* layer);

  MappedFile file_;
  NetParameter header_;
  std::vector<Span> layers_;
  size_t next_ = 0;
  bool warned_ = false;
};

}  // namespace caffe

#endif  // CAFFE_UTIL_CAFFEMODEL_READER_HPP_
