// Blobs, numbers and strings in HDF5 files. Failures are Errors that name file and
// dataset; HDF5's own printing is off.
#ifndef CAFFE_UTIL_HDF5_H_
#define CAFFE_UTIL_HDF5_H_
#ifdef USE_HDF5

#include <hdf5.h>
#include <hdf5_hl.h>

#include <string>
#include <utility>

#include "caffe/blob.hpp"

namespace caffe {

/// Closes an HDF5 object when it goes out of scope.
class Hdf5Handle {
 public:
  /// `id` is what an HDF5 call returned; a negative one is an Error that says `what`
  /// failed and HDF5's reason.
  Hdf5Handle(hid_t id, herr_t (*close)(hid_t), const string& what);
  Hdf5Handle(Hdf5Handle&& other) noexcept : id_(std::exchange(other.id_, -1)) {
    close_ = other.close_;
  }
  ~Hdf5Handle();
  Hdf5Handle& operator=(const Hdf5Handle&) = delete;
  operator hid_t() const { return id_; }

 private:
  hid_t id_;
  herr_t (*close_)(hid_t);
};

/// Opens a file for reading; a missing one is an Error of kind kFileNotFound.
Hdf5Handle hdf5_open_file(const string& path);
/// Creates a file, or empties it where it exists.
Hdf5Handle hdf5_create_file(const string& path);

/// Checks the dataset's axes (min_dim to max_dim) and class (float or integer), and gives
/// the blob its shape: with `reshape` whatever it is, else it must be the blob's already.
template <typename Dtype>
void hdf5_load_nd_dataset_helper(hid_t file_id, const char* dataset_name_, int min_dim,
                                 int max_dim, Blob<Dtype>* blob, bool reshape);

/// The same, and reads the values.
template <typename Dtype>
void hdf5_load_nd_dataset(hid_t file_id, const char* dataset_name_, int min_dim,
                          int max_dim, Blob<Dtype>* blob, bool reshape = false);

/// Writes data (or diff) as a new dataset of the blob's shape, float or double by Dtype.
template <typename Dtype>
void hdf5_save_nd_dataset(const hid_t file_id, const string& dataset_name,
                          const Blob<Dtype>& blob, bool write_diff = false);

int hdf5_load_int(hid_t loc_id, const string& dataset_name);
void hdf5_save_int(hid_t loc_id, const string& dataset_name, int i);
string hdf5_load_string(hid_t loc_id, const string& dataset_name);
void hdf5_save_string(hid_t loc_id, const string& dataset_name, const string& s);

int hdf5_get_num_links(hid_t loc_id);
/// Names are in alphabetic order.
string hdf5_get_name_by_idx(hid_t loc_id, int idx);

}  // namespace caffe

#endif  // USE_HDF5
#endif  // CAFFE_UTIL_HDF5_H_
