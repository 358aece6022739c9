// Memory of which an operator holds the only copy, in a form of its own (packed weights).
#ifndef CAFFE_PACKED_CONTENTS_HPP_
#define CAFFE_PACKED_CONTENTS_HPP_

namespace caffe {

/// The contents of a SyncedMemory in an operator's form, from which the row-major form
/// comes back bit for bit.
class PackedContents {
 public:
  virtual ~PackedContents() = default;
  /// Writes the row-major form, all `size()` bytes of the memory.
  virtual void Unpack(void* host) const = 0;
};

}  // namespace caffe

#endif  // CAFFE_PACKED_CONTENTS_HPP_
