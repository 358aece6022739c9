// Blobs, numbers and strings in HDF5 files.
#ifdef USE_HDF5
#include "caffe/util/hdf5.hpp"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <vector>

namespace caffe {
namespace {

// HDF5 keeps its setting by thread where it is built for threads.
void silence() {
  static thread_local const bool done = [] {
    H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
    return true;
  }();
  (void)done;
}

// The innermost message of HDF5's error stack, as " (reason)", or nothing.
string reason() {
  string text;
  const H5E_walk2_t keep_first = [](unsigned, const H5E_error2_t* entry, void* data) {
    string* result = static_cast<string*>(data);
    if (result->empty() && entry->desc != nullptr) *result = entry->desc;
    return herr_t(0);
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_first, &text);
  return text.empty() ? text : " (" + text + ")";
}

// What HDF5's own functions of the shape ssize_t(id, buffer, size) say.
string text_of(ssize_t (*get)(hid_t, char*, size_t), hid_t id) {
  const ssize_t length = get(id, nullptr, 0);
  if (length <= 0) return "";
  string text(length + 1, '\0');
  get(id, &text[0], text.size());
  text.resize(length);
  return text;
}

// "weights.h5:/data/conv1/0"
string full_name(hid_t location, const string& dataset) {
  string path = text_of(H5Iget_name, location);
  if (path.empty() || path.back() != '/') path += '/';
  return text_of(H5Fget_name, location) + ":" + path + dataset;
}

// True if every group on the way and the object itself are there.
bool exists(hid_t location, const string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const string part = path.substr(0, slash);
    if (H5Lexists(location, part.c_str(), H5P_DEFAULT) <= 0) return false;
    if (slash == string::npos)
      return H5Oexists_by_name(location, path.c_str(), H5P_DEFAULT) > 0;
  }
}

Hdf5Handle open_dataset(hid_t location, const string& name) {
  silence();
  const string full = full_name(location, name);
  CHECK(exists(location, name)) << full << ": there is no such dataset";
  return Hdf5Handle(H5Dopen2(location, name.c_str(), H5P_DEFAULT), H5Dclose,
                    full + ": opening as a dataset");
}

void check_written(herr_t status, const string& full) {
  CHECK_GE(status, 0) << full << ": cannot be written" << reason();
}

// Creates and writes a dataset.
void save(hid_t location, const string& name, hid_t type, hid_t space,
          const void* values) {
  const string full = full_name(location, name);
  CHECK_LE(H5Lexists(location, name.c_str(), H5P_DEFAULT), 0)
      << full << ": cannot be created, there is an object of that name";
  const Hdf5Handle dataset(H5Dcreate2(location, name.c_str(), type, space, H5P_DEFAULT,
                                      H5P_DEFAULT, H5P_DEFAULT),
                           H5Dclose, full + ": creating the dataset");
  if (values != nullptr) {
    check_written(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), full);
  }
}

template <typename Dtype>
hid_t native_type();
template <>
hid_t native_type<float>() {
  return H5T_NATIVE_FLOAT;
}
template <>
hid_t native_type<double>() {
  return H5T_NATIVE_DOUBLE;
}

const char* class_name(H5T_class_t type) {
  switch (type) {
    case H5T_TIME:
      return "time";
    case H5T_STRING:
      return "string";
    case H5T_BITFIELD:
      return "bitfield";
    case H5T_OPAQUE:
      return "opaque";
    case H5T_COMPOUND:
      return "compound";
    case H5T_REFERENCE:
      return "reference";
    case H5T_ENUM:
      return "enum";
    case H5T_VLEN:
      return "variable-length";
    case H5T_ARRAY:
      return "array";
    default:
      return "unknown";
  }
}

vector<int> dataset_shape(hid_t dataset, const string& full) {
  const Hdf5Handle space(H5Dget_space(dataset), H5Sclose, full + ": reading the shape");
  CHECK_NE(H5Sget_simple_extent_type(space), H5S_NULL)
      << full << ": the dataset is empty";
  const int axes = H5Sget_simple_extent_ndims(space);
  CHECK_GE(axes, 0) << full << ": cannot read the shape" << reason();
  vector<hsize_t> sizes(axes);
  H5Sget_simple_extent_dims(space, sizes.data(), nullptr);
  vector<int> shape;
  for (hsize_t size : sizes) {
    CHECK_LE(size, static_cast<hsize_t>(INT_MAX))
        << full << ": an axis is too long for a blob";
    shape.push_back(static_cast<int>(size));
  }
  return shape;
}

string shape_text(const vector<int>& shape) {
  ostringstream text;
  for (int size : shape) text << size << " ";
  text << "(" << shape.size() << " axes)";
  return text.str();
}

}  // namespace

Hdf5Handle::Hdf5Handle(hid_t id, herr_t (*close)(hid_t), const string& what)
    : id_(id), close_(close) {
  CHECK_GE(id_, 0) << "HDF5: " << what << " failed" << reason();
}

Hdf5Handle::~Hdf5Handle() {
  // An object that cannot be closed may have lost what was written to it.
  if (id_ >= 0 && close_(id_) < 0) LOG(ERROR) << "HDF5: closing failed" << reason();
}

Hdf5Handle hdf5_open_file(const string& path) {
  silence();
  if (access(path.c_str(), R_OK) != 0) {
    CAFFE_THROW(kFileNotFound) << path << ": " << std::strerror(errno);
  }
  CHECK_GT(H5Fis_hdf5(path.c_str()), 0)
      << path << ": is not an HDF5 file, or a truncated one";
  return Hdf5Handle(H5Fopen(path.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT), H5Fclose,
                    "opening " + path);
}

Hdf5Handle hdf5_create_file(const string& path) {
  silence();
  return Hdf5Handle(H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT),
                    H5Fclose, "creating " + path);
}

template <typename Dtype>
void hdf5_load_nd_dataset_helper(hid_t file_id, const char* dataset_name_, int min_dim,
                                 int max_dim, Blob<Dtype>* blob, bool reshape) {
  const Hdf5Handle dataset = open_dataset(file_id, dataset_name_);
  const string full = full_name(file_id, dataset_name_);
  const Hdf5Handle type(H5Dget_type(dataset), H5Tclose, full + ": reading the type");
  const H5T_class_t type_class = H5Tget_class(type);
  CHECK(type_class == H5T_FLOAT || type_class == H5T_INTEGER)
      << full << ": holds values of class " << class_name(type_class)
      << "; only float and integer can be read";
  const vector<int> shape = dataset_shape(dataset, full);
  CHECK(static_cast<int>(shape.size()) >= min_dim &&
        static_cast<int>(shape.size()) <= max_dim)
      << full << ": has shape " << shape_text(shape) << "; " << min_dim << " to "
      << max_dim << " axes are wanted";
  if (reshape) {
    blob->Reshape(shape);
  } else {
    CHECK(shape == blob->shape()) << full << ": has shape " << shape_text(shape)
                                  << ", the blob has shape " << blob->shape_string();
  }
}

template <typename Dtype>
void hdf5_load_nd_dataset(hid_t file_id, const char* dataset_name_, int min_dim,
                          int max_dim, Blob<Dtype>* blob, bool reshape) {
  hdf5_load_nd_dataset_helper(file_id, dataset_name_, min_dim, max_dim, blob, reshape);
  if (blob->count() == 0) return;
  const Hdf5Handle dataset = open_dataset(file_id, dataset_name_);
  const herr_t status = H5Dread(dataset, native_type<Dtype>(), H5S_ALL, H5S_ALL,
                                H5P_DEFAULT, blob->mutable_cpu_data());
  CHECK_GE(status, 0) << full_name(file_id, dataset_name_) << ": cannot be read"
                      << reason();
}

template <typename Dtype>
void hdf5_save_nd_dataset(const hid_t file_id, const string& dataset_name,
                          const Blob<Dtype>& blob, bool write_diff) {
  silence();
  const vector<hsize_t> sizes(blob.shape().begin(), blob.shape().end());
  const Hdf5Handle space(
      sizes.empty()
          ? H5Screate(H5S_SCALAR)
          : H5Screate_simple(static_cast<int>(sizes.size()), sizes.data(), nullptr),
      H5Sclose, full_name(file_id, dataset_name) + ": making the shape");
  const Dtype* values = nullptr;
  if (blob.count() > 0) values = write_diff ? blob.cpu_diff() : blob.cpu_data();
  save(file_id, dataset_name, native_type<Dtype>(), space, values);
}

int hdf5_load_int(hid_t loc_id, const string& dataset_name) {
  const Hdf5Handle dataset = open_dataset(loc_id, dataset_name);
  const string full = full_name(loc_id, dataset_name);
  const vector<int> shape = dataset_shape(dataset, full);
  CHECK(shape.empty() || shape == vector<int>{1})
      << full << ": has shape " << shape_text(shape) << "; one integer is wanted";
  int value = 0;
  CHECK_GE(H5Dread(dataset, H5T_NATIVE_INT, H5S_ALL, H5S_ALL, H5P_DEFAULT, &value), 0)
      << full << ": cannot be read as an integer" << reason();
  return value;
}

void hdf5_save_int(hid_t loc_id, const string& dataset_name, int i) {
  silence();
  const hsize_t one = 1;
  const Hdf5Handle space(H5Screate_simple(1, &one, nullptr), H5Sclose, dataset_name);
  save(loc_id, dataset_name, H5T_NATIVE_INT, space, &i);
}

string hdf5_load_string(hid_t loc_id, const string& dataset_name) {
  const Hdf5Handle dataset = open_dataset(loc_id, dataset_name);
  const string full = full_name(loc_id, dataset_name);
  const Hdf5Handle type(H5Dget_type(dataset), H5Tclose, full + ": reading the type");
  CHECK_EQ(H5Tget_class(type), H5T_STRING)
      << full << ": holds values of class " << class_name(H5Tget_class(type))
      << "; a string is wanted";
  const vector<int> shape = dataset_shape(dataset, full);
  CHECK(shape.empty() || shape == vector<int>{1})
      << full << ": has shape " << shape_text(shape) << "; one string is wanted";
  if (H5Tis_variable_str(type) > 0) {  // as h5py writes them
    char* text = nullptr;
    CHECK_GE(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &text), 0)
        << full << ": cannot be read" << reason();
    const string result = text == nullptr ? "" : text;
    H5free_memory(text);
    return result;
  }
  string buffer(H5Tget_size(type), '\0');
  CHECK_GE(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, &buffer[0]), 0)
      << full << ": cannot be read" << reason();
  return string(buffer.c_str());  // without the terminator
}

void hdf5_save_string(hid_t loc_id, const string& dataset_name, const string& s) {
  silence();
  const string full = full_name(loc_id, dataset_name);
  const Hdf5Handle type(H5Tcopy(H5T_C_S1), H5Tclose, full);
  H5Tset_size(type, s.size() + 1);
  const Hdf5Handle space(H5Screate(H5S_SCALAR), H5Sclose, full);
  save(loc_id, dataset_name, type, space, s.c_str());
}

int hdf5_get_num_links(hid_t loc_id) {
  silence();
  H5G_info_t info;
  CHECK_GE(H5Gget_info(loc_id, &info), 0)
      << full_name(loc_id, "") << ": cannot count the members" << reason();
  return static_cast<int>(info.nlinks);
}

string hdf5_get_name_by_idx(hid_t loc_id, int idx) {
  silence();
  const auto get = [&](char* buffer, size_t size) {
    return H5Lget_name_by_idx(loc_id, ".", H5_INDEX_NAME, H5_ITER_INC,
                              static_cast<hsize_t>(idx), buffer, size, H5P_DEFAULT);
  };
  const ssize_t length = get(nullptr, 0);
  CHECK_GE(length, 0) << full_name(loc_id, "") << ": has no member number " << idx
                      << reason();
  string name(length + 1, '\0');
  get(&name[0], name.size());
  name.resize(length);
  return name;
}

#define INSTANTIATE_HDF5(Dtype)                                                         \
  template void hdf5_load_nd_dataset_helper<Dtype>(hid_t, const char*, int, int,        \
                                                   Blob<Dtype>*, bool);                 \
  template void hdf5_load_nd_dataset<Dtype>(hid_t, const char*, int, int, Blob<Dtype>*, \
                                            bool);                                      \
  template void hdf5_save_nd_dataset<Dtype>(const hid_t, const string&,                 \
                                            const Blob<Dtype>&, bool)

INSTANTIATE_HDF5(float);
INSTANTIATE_HDF5(double);
#undef INSTANTIATE_HDF5

}  // namespace caffe
#endif  // USE_HDF5
