// One buffer that may live on the host, on a device, or in a back-end's own layout.
#ifndef CAFFE_SYNCEDMEM_HPP_
#define CAFFE_SYNCEDMEM_HPP_

#include <atomic>
#include <cstdint>
#include <mutex>

#include "caffe/common.hpp"
#include "caffe/util/arena.hpp"
#include "caffe/util/blocked_layout.hpp"

namespace caffe {

class PackedContents;

/// The sizes of a memory whose order on the device is (num, spatial, channels).
struct ChannelsLast {
  int num = 0, channels = 0, spatial = 0;
  bool operator==(const ChannelsLast& o) const {
    return num == o.num && channels == o.channels && spatial == o.spatial;
  }
};

/// Host memory for code that asks for it by BVLC's names; zeroed, aligned to 64 bytes.
void CaffeMallocHost(void** ptr, size_t size, bool* use_cuda);
void CaffeFreeHost(void* ptr, bool use_cuda);

/// Memory with a head: whichever copy was written last is the truth, others follow on
/// access.
///
/// Row-major host memory is what `cpu_data` gives. A CPU back-end may instead leave its
/// result in a channel-blocked layout (`mutable_blocked_data`); whoever then calls
/// `cpu_data` gets it reordered, once. Reading from several threads at once is safe.
///
/// While a view is alive (a NumPy array over this memory, `AddView`), host memory is the
/// truth in both directions: readers of the blocked form reorder anew on every call, and
/// the net brings host memory up to date after every layer that wrote (`SyncViews`).
///
/// The device's copy (GPU mode) is row-major for whoever asks gpu_data; an operator may
/// leave it channels-last (float only), as on the host with the blocked layout.
class SyncedMemory {
 public:
  enum SyncedHead { UNINITIALIZED, HEAD_AT_CPU, HEAD_AT_GPU, SYNCED };

  SyncedMemory();
  explicit SyncedMemory(size_t size);
  ~SyncedMemory();

  const void* cpu_data();
  void* mutable_cpu_data();
  const void* gpu_data();
  void* mutable_gpu_data();
  /// Takes foreign memory of `size()` bytes, which stays the caller's.
  void set_cpu_data(void* data);
  void set_gpu_data(void* data);
  SyncedHead head() const;
#ifndef CPU_ONLY
  /// Starts the copy to the device on a stream; host memory must stay until it is done.
  void async_gpu_push(const cudaStream_t& stream);
#endif
  size_t size() const { return size_; }

  /// The contents in the given layout (float only); row-major contents are reordered.
  const float* blocked_data(const BlockedLayout& layout);
  /// Memory to be overwritten COMPLETELY, zero lanes included, in the given layout.
  float* mutable_blocked_data(const BlockedLayout& layout);
  /// The same, with the present contents.
  float* update_blocked_data(const BlockedLayout& layout);
  /// True if the blocked form is the newest and the row-major form is stale.
  bool head_is_blocked() const { return blocked_valid_ && !host_valid_; }
  /// True if the blocked form can be read without a reorder.
  bool blocked_is_current() const { return blocked_valid_ && view_count_ == 0; }
  /// Meaningful while a blocked form exists.
  const BlockedLayout& layout() const { return layout_; }

  /// Changes whenever the contents may have changed; unique in the process.
  std::uint64_t version();

  void AddView() { ++view_count_; }
  void RemoveView() { --view_count_; }
  bool has_views() const { return view_count_ > 0; }
  void SyncViews() {
    if (has_views() && !host_valid_ && (blocked_valid_ || device_valid_ || last_valid_)) {
      cpu_data();
    }
  }
  /// True if the device's copy can be read without a transfer (but perhaps a reorder).
  bool device_is_current() const {
    return (device_valid_ || last_valid_) && view_count_ == 0;
  }
  /// The device's contents channels-last; row-major ones are reordered.
  const float* gpu_channels_last(const ChannelsLast& order);
  /// Memory to be overwritten COMPLETELY in that order.
  float* mutable_gpu_channels_last(const ChannelsLast& order);
  /// Gives the device's other form back if this one holds; whoever asks for that gets it
  /// anew.
  void KeepOneForm(bool channels_last);
  /// True if the channels-last form can be read without a reorder.
  bool channels_last_is_current(const ChannelsLast& order) const {
    return last_valid_ && view_count_ == 0 && order_ == order;
  }
  /// Where the device's forms lie; null where there is none. Nothing is brought up to
  /// date.
  const void* device_address() const { return device_; }
  const void* channels_last_address() const { return last_; }
  bool head_is_channels_last() const { return last_valid_ && !device_valid_; }
  /// What a recorded graph has written anew: the form that was the newest when it was
  /// recorded is the only one that holds.
  void MarkDeviceWritten(bool channels_last);

  /// From now on buffers come from the arena; what is there is kept.
  void set_arena(shared_ptr<Arena> arena) { arena_ = std::move(arena); }
  /// Gives all memory back. Until somebody writes again, reading throws "not kept".
  void Release(const shared_ptr<const string>& blob_name);
  bool released() const { return released_name_ != nullptr; }
  /// The memory is about to be written again: from now on it may be asked for.
  void Reclaim() { released_name_.reset(); }
  /// Bytes held on the host, in all forms but a packed one.
  size_t held_bytes() const;

  /// Lets an operator hold the only copy (weights of a `keep` net): what cpu_data gave is
  /// then valid until the next pass only, as with the net's other blobs.
  void AllowPackedOnly() { packed_only_allowed_ = true; }
  bool packed_only_allowed() const { return packed_only_allowed_; }
  /// Gives the row-major form back to the system; the next access restores it from
  /// `packed`, which must hold the present contents. The version changes, since kernels
  /// may read the memory anew. False, and nothing is done, where that is not allowed,
  /// where there is no row-major form, while a view is alive, and for foreign memory.
  /// Nobody may be reading the memory in another thread.
  bool KeepPackedOnly(shared_ptr<const PackedContents> packed);

 private:
  struct Buffer {
    void* data = nullptr;
    size_t bytes = 0;
    bool owned = false, pinned = false;
    shared_ptr<Arena> arena;
  };

  void Allocate(Buffer* buffer, size_t bytes, bool zeroed);
  void Free(Buffer* buffer);
  void NeedHost();
  void NeedDevice();
  void FreeDevice();
  void EnsureHostValid();
  void EnsureDeviceValid();
  void RowMajorFromLast();
  void CheckNotReleased() const;
  void Touch();

  size_t size_;
  Buffer host_, blocked_;
  void* device_ = nullptr;  ///< row-major
  bool device_owned_ = false;
  float* last_ = nullptr;  ///< channels-last, on the device
  ChannelsLast order_;
  BlockedLayout layout_;
  std::atomic<bool> host_valid_{false}, blocked_valid_{false}, device_valid_{false};
  std::atomic<bool> last_valid_{false};
  std::atomic<int> view_count_{0};
  std::atomic<std::uint64_t> version_;
  shared_ptr<Arena> arena_;
  shared_ptr<const string> released_name_;
  shared_ptr<const PackedContents> packed_;  ///< where no other form is valid
  bool packed_only_allowed_ = false;
  std::mutex mutex_;

  DISABLE_COPY_AND_ASSIGN(SyncedMemory);
};

}  // namespace caffe

#endif  // CAFFE_SYNCEDMEM_HPP_
