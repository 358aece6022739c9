// Weights of a net in and out of HDF5 files (`data/<layer>/<j>`, and `diff/...`).
#include "caffe/net.hpp"

#ifdef USE_HDF5

#include <unistd.h>

#include <cstdio>

#include "caffe/util/hdf5.hpp"

namespace caffe {

namespace {

/// Whether `path` exists below `root`, every group on the way included. Layer names may
/// hold slashes, which HDF5 reads as nested groups.
bool PathExists(hid_t root, const string& path) {
  for (size_t slash = path.find('/');; slash = path.find('/', slash + 1)) {
    const string prefix = path.substr(0, slash);
    if (!prefix.empty() && H5Lexists(root, prefix.c_str(), H5P_DEFAULT) <= 0)
      return false;
    if (slash == string::npos) return true;
  }
}

bool IsPrefixOfALayer(const string& group, const vector<string>& layer_names) {
  for (const string& layer : layer_names) {
    if (layer == group || layer.compare(0, group.size() + 1, group + "/") == 0)
      return true;
  }
  return false;
}

}  // namespace

template <typename Dtype>
void Net<Dtype>::LoadNetFromHDF5(const string& filename) {
  const Hdf5Handle file = hdf5_open_file(filename);
  CHECK(PathExists(file, "data"))
      << filename << ": no group 'data', so this is no weights file";
  const Hdf5Handle data(H5Gopen2(file, "data", H5P_DEFAULT), H5Gclose,
                        filename + ":data");
  const int links = hdf5_get_num_links(data);
  for (int i = 0; i < links; ++i) {
    const string group = hdf5_get_name_by_idx(data, i);
    if (!IsPrefixOfALayer(group, layer_names_)) weight_report_.skipped.push_back(group);
  }
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    const auto& blobs = layers_[layer]->blobs();
    if (!PathExists(data, layer_names_[layer])) continue;
    const Hdf5Handle group(H5Gopen2(data, layer_names_[layer].c_str(), H5P_DEFAULT),
                           H5Gclose, filename + ":data/" + layer_names_[layer]);
    if (layers_[layer]->DoesUseCustomCopyBlobs()) {
      vector<shared_ptr<Blob<float>>> stored;
      vector<Blob<float>*> pointers;
      for (int j = 0; PathExists(group, std::to_string(j)); ++j) {
        stored.push_back(std::make_shared<Blob<float>>());
        hdf5_load_nd_dataset(group, std::to_string(j).c_str(), 0, kMaxBlobAxes,
                             stored.back().get(), true);
        pointers.push_back(stored.back().get());
      }
      layers_[layer]->CustomCopyBlobs(pointers);
      weight_report_.loaded.push_back(layer_names_[layer]);
      continue;
    }
    CHECK(!PathExists(group, std::to_string(blobs.size())) || blobs.empty())
        << filename << ": layer '" << layer_names_[layer]
        << "' has more blobs than the net's " << blobs.size();
    for (size_t j = 0; j < blobs.size(); ++j) {
      const string name = std::to_string(j);
      if (!PathExists(group, name)) {
        CHECK_GE(param_owners_[param_id_vecs_[layer][j]], 0)
            << filename << ": no dataset " << j << " for layer '" << layer_names_[layer]
            << "'";
        continue;  // shared: its owner's dataset is there
      }
      hdf5_load_nd_dataset(group, name.c_str(), 0, kMaxBlobAxes, blobs[j].get());
    }
    if (!blobs.empty()) weight_report_.loaded.push_back(layer_names_[layer]);
  }
}

template <typename Dtype>
void Net<Dtype>::SaveNetToHDF5(const string& filename, bool write_diff) const {
  const string temporary = filename + ".tmp." + std::to_string(getpid());
  try {
    const Hdf5Handle file = hdf5_create_file(temporary);
    const Hdf5Handle nested(H5Pcreate(H5P_LINK_CREATE), H5Pclose, filename);
    H5Pset_create_intermediate_group(nested, 1);
    std::set<string> written;
    for (size_t layer = 0; layer < layers_.size(); ++layer) {
      CHECK(written.insert(layer_names_[layer]).second)
          << "two layers are named '" << layer_names_[layer]
          << "': HDF5 needs unique names";
      for (const char* kind : {"data", "diff"}) {
        const bool is_diff = kind[1] == 'i';
        if (is_diff && !write_diff) continue;
        const string path = string(kind) + "/" + layer_names_[layer];
        const Hdf5Handle group(
            PathExists(file, path)
                ? H5Gopen2(file, path.c_str(), H5P_DEFAULT)
                : H5Gcreate2(file, path.c_str(), nested, H5P_DEFAULT, H5P_DEFAULT),
            H5Gclose, filename + ":" + path);
        const auto& blobs = layers_[layer]->blobs();
        for (size_t j = 0; j < blobs.size(); ++j) {
          if (!is_diff && param_owners_[param_id_vecs_[layer][j]] >= 0) continue;
          hdf5_save_nd_dataset<Dtype>(group, std::to_string(j), *blobs[j], is_diff);
        }
      }
    }
    CHECK_GE(H5Fflush(file, H5F_SCOPE_GLOBAL), 0) << "HDF5: cannot write " << filename;
  } catch (...) {
    std::remove(temporary.c_str());
    throw;
  }
  CHECK_EQ(std::rename(temporary.c_str(), filename.c_str()), 0)
      << "cannot rename to " << filename;
}

template void Net<float>::LoadNetFromHDF5(const string&);
template void Net<double>::LoadNetFromHDF5(const string&);
template void Net<float>::SaveNetToHDF5(const string&, bool) const;
template void Net<double>::SaveNetToHDF5(const string&, bool) const;

}  // namespace caffe

#endif  // USE_HDF5
