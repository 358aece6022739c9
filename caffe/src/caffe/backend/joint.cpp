// Joining and cutting: rows in row-major memory, items and channel ranges in blocked
// memory.
#include "caffe/backend/joint.hpp"

#include <algorithm>
#include <cstring>

#include "caffe/backend/channel_copy.hpp"
#include "caffe/backend/elementwise.hpp"
#include "caffe/util/parallel_for.hpp"

namespace caffe {

namespace {

// `rows` rows of `length` numbers between arrays whose rows lie `to_step`, `from_step`
// apart. A null source writes zeros.
template <typename Dtype>
void CopyRows(int rows, std::int64_t length, const Dtype* from, std::int64_t from_step,
              Dtype* to, std::int64_t to_step) {
  if (length == 0) return;
  constexpr std::int64_t kPiece = 1 << 15;  // a long row is cut for the threads
  const std::int64_t pieces = (length + kPiece - 1) / kPiece;
  parallel_ranges(
      rows * pieces, std::max<std::int64_t>(1, kPiece / std::min(kPiece, length)),
      [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t i = first; i < last; ++i) {
          const std::int64_t row = i / pieces, begin = i % pieces * kPiece;
          const std::int64_t count = std::min(kPiece, length - begin);
          Dtype* target = to + row * to_step + begin;
          if (from == nullptr) {
            std::fill_n(target, count, Dtype(0));
          } else {
            std::memcpy(target, from + row * from_step + begin, count * sizeof(Dtype));
          }
        }
      });
}

std::int64_t ItemSize(const BlockedLayout& layout) {
  return static_cast<std::int64_t>(layout.blocks()) * layout.spatial * layout.block;
}

}  // namespace

template <typename Dtype>
Joint<Dtype>::Joint(int axis, const Blob<Dtype>& whole, const vector<Blob<Dtype>*>& parts)
    : axis_(axis),
      outer_(whole.count(0, axis)),
      inner_(whole.count(axis + 1)),
      whole_size_(whole.shape(axis)),
      whole_layout_(whole.blocked_layout()) {
  begin_.push_back(0);
  for (const Blob<Dtype>* part : parts) {
    begin_.push_back(begin_.back() + part->shape(axis));
    part_layouts_.push_back(part->blocked_layout());
  }
}

template <typename Dtype>
bool Joint<Dtype>::blocked_layouts_exist() const {
  return std::is_same<Dtype, float>::value && axis_ <= 1 && whole_layout_.valid() &&
         std::all_of(part_layouts_.begin(), part_layouts_.end(),
                     [](const BlockedLayout& layout) { return layout.valid(); });
}

template <typename Dtype>
void Joint<Dtype>::Join(const vector<SyncedMemory*>& parts, SyncedMemory* whole) const {
  if (Caffe::mode() == Caffe::GPU) return JoinGpu(parts, whole);
  bool any = false;
  for (size_t i = 0; i < parts.size(); ++i) {
    any = any || (parts[i] != nullptr && is_blocked_as(*parts[i], part_layouts_[i]));
  }
  if (any && blocked_layouts_exist() && !whole->has_views()) {
    JoinBlocked(parts, whole);
  } else {
    JoinPlain(parts, whole);
  }
}

template <typename Dtype>
void Joint<Dtype>::JoinPlain(const vector<SyncedMemory*>& parts,
                             SyncedMemory* whole) const {
  Dtype* to = overwrite_memory<Dtype>(whole, BlockedLayout());
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::int64_t length =
        static_cast<std::int64_t>(begin_[i + 1] - begin_[i]) * inner_;
    const Dtype* from =
        parts[i] == nullptr ? nullptr : read_memory<Dtype>(parts[i], BlockedLayout());
    CopyRows(outer_, length, from, length,
             to + static_cast<std::int64_t>(begin_[i]) * inner_,
             static_cast<std::int64_t>(whole_size_) * inner_);
  }
}

template <typename Dtype>
void Joint<Dtype>::JoinBlocked(const vector<SyncedMemory*>& parts,
                               SyncedMemory* whole) const {
  float* to = whole->mutable_blocked_data(whole_layout_);
  const bool some_missing = std::find(parts.begin(), parts.end(), nullptr) != parts.end();
  if (some_missing) zero_memory<float>(whole, whole_layout_, 0);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] == nullptr) continue;
    const BlockedLayout& layout = part_layouts_[i];
    if (axis_ == 0) {
      CopyRows(layout.num, ItemSize(layout), parts[i]->blocked_data(layout),
               ItemSize(layout), to + begin_[i] * ItemSize(layout), ItemSize(layout));
    } else if (is_blocked_as(*parts[i], layout)) {
      copy_channels(layout, parts[i]->blocked_data(layout), 0, whole_layout_, to,
                    begin_[i], layout.channels);
    } else {
      pack_channels(layout, static_cast<const float*>(parts[i]->cpu_data()), 0,
                    whole_layout_, to, begin_[i], layout.channels);
    }
  }
}

template <typename Dtype>
void Joint<Dtype>::Cut(SyncedMemory* whole, const vector<SyncedMemory*>& parts) const {
  if (Caffe::mode() == Caffe::GPU) return CutGpu(whole, parts);
  const bool seen = std::any_of(parts.begin(), parts.end(), [](const SyncedMemory* part) {
    return part != nullptr && part->has_views();
  });
  if (is_blocked_as(*whole, whole_layout_) && blocked_layouts_exist() && !seen) {
    CutBlocked(whole, parts);
  } else {
    CutPlain(whole, parts);
  }
}

template <typename Dtype>
void Joint<Dtype>::CutPlain(SyncedMemory* whole,
                            const vector<SyncedMemory*>& parts) const {
  const Dtype* from = read_memory<Dtype>(whole, BlockedLayout());
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] == nullptr) continue;
    const std::int64_t length =
        static_cast<std::int64_t>(begin_[i + 1] - begin_[i]) * inner_;
    CopyRows(outer_, length, from + static_cast<std::int64_t>(begin_[i]) * inner_,
             static_cast<std::int64_t>(whole_size_) * inner_,
             overwrite_memory<Dtype>(parts[i], BlockedLayout()), length);
  }
}

template <typename Dtype>
void Joint<Dtype>::CutBlocked(SyncedMemory* whole,
                              const vector<SyncedMemory*>& parts) const {
  const float* from = whole->blocked_data(whole_layout_);
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i] == nullptr) continue;
    const BlockedLayout& layout = part_layouts_[i];
    float* to = parts[i]->mutable_blocked_data(layout);
    if (axis_ == 0) {
      CopyRows(layout.num, ItemSize(layout), from + begin_[i] * ItemSize(layout),
               ItemSize(layout), to, ItemSize(layout));
    } else {
      copy_channels(whole_layout_, from, begin_[i], layout, to, 0, layout.channels);
    }
  }
}

template class Joint<float>;
template class Joint<double>;

}  // namespace caffe
