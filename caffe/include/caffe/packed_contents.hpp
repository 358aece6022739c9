// Memory of which an operator holds the only copy, in a form of its own (packed weights).
#ifndef CAFFE_PACKED_CONTENTS_HPP_
#define CAFFE_PACKED_CONTENTS_HPP_

#include "caffe/syncedmem.hpp"

namespace caffe {

/// The contents of a SyncedMemory in an operator's form, from which the row-major form
/// comes back bit for bit.
class PackedContents {
 public:
  virtual ~PackedContents() = default;
  /// Writes the row-major form, all `size()` bytes of the memory.
  virtual void Unpack(void* host) const = 0;
};

/// Lets operators hold the only copy (weights of a `keep` net): what cpu_data gave is
/// then valid until the next pass only, as with the net's other blobs.
void allow_packed_only(SyncedMemory* memory);
bool packed_only_allowed(const SyncedMemory& memory);

/// Gives the row-major form back to the system; the next access restores it from
/// `packed`, which must hold the present contents. The version changes, since kernels
/// may read the memory anew. False, and nothing is done, where that is not allowed, where
/// there is no row-major form, while a view is alive, and for foreign memory. Nobody may
/// be reading the memory in another thread.
bool keep_packed_only(SyncedMemory* memory, shared_ptr<const PackedContents> packed);

}  // namespace caffe

#endif  // CAFFE_PACKED_CONTENTS_HPP_
