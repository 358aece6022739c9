// Weights between nets, and in and out of files.
#include <algorithm>
#include <set>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "caffe/net.hpp"
#include "caffe/util/caffemodel_reader.hpp"
#include "caffe/util/io.hpp"
#include "caffe/util/upgrade_proto.hpp"

namespace caffe {

namespace {

/// A weights file is HDF5 if it begins with that format's signature, whatever its name.
bool IsHDF5File(const string& filename) {
  const char signature[8] = {'\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n'};
  char start[8] = {};
  std::ifstream file(filename, std::ios::binary);
  return file.read(start, sizeof(start)) && std::equal(start, start + 8, signature);
}

string Listed(const vector<string>& names) {
  std::ostringstream text;
  for (size_t i = 0; i < names.size(); ++i) text << (i ? ", " : "") << names[i];
  return text.str();
}

string ShapeText(const vector<int64_t>& shape) {
  std::ostringstream text;
  for (const int64_t dim : shape) text << dim << " ";
  return text.str();
}

/// The stored shape fits: equal, or a legacy 4-number shape with the blob's at its end.
template <typename Dtype>
bool ShapeFits(const Blob<Dtype>& blob, const StoredBlob& stored) {
  if (!stored.legacy_shape) {
    return std::equal(blob.shape().begin(), blob.shape().end(), stored.shape.begin(),
                      stored.shape.end());
  }
  if (blob.num_axes() > 4) return false;
  for (int axis = 0; axis < 4; ++axis) {
    if (blob.LegacyShape(axis - 4) != stored.shape[axis]) return false;
  }
  return true;
}

constexpr char kRename[] =
    "; to learn this layer's parameters from scratch rather than copying from a saved "
    "net, "
    "rename the layer";

/// Copies one blob of a file; returns what is wrong, or nothing.
template <typename Dtype>
string CopyStored(const StoredBlob& stored, const string& layer, size_t index,
                  Blob<Dtype>* blob) {
  std::ostringstream problem;
  if (!ShapeFits(*blob, stored)) {
    problem << "layer '" << layer << "' param " << index
            << ": shape mismatch. The file's shape is " << ShapeText(stored.shape)
            << "; the net's shape is " << blob->shape_string() << kRename;
  } else if (static_cast<int64_t>(stored.data_count) != blob->count()) {
    problem << "layer '" << layer << "' param " << index << ": the file holds "
            << stored.data_count << " values for a blob of shape "
            << blob->shape_string();
  } else {
    stored.CopyData(blob->mutable_cpu_data());
    if (stored.diff_count > 0 &&
        static_cast<int64_t>(stored.diff_count) == blob->count()) {
      stored.CopyDiff(blob->mutable_cpu_diff());
    }
  }
  return problem.str();
}

/// Blobs of a file as they are stored.
vector<shared_ptr<Blob<float>>> LoadedBlobs(const vector<StoredBlob>& stored,
                                            const string& layer) {
  vector<shared_ptr<Blob<float>>> blobs;
  for (const StoredBlob& from : stored) {
    blobs.push_back(
        std::make_shared<Blob<float>>(vector<int>(from.shape.begin(), from.shape.end())));
    CHECK_EQ(static_cast<size_t>(blobs.back()->count()), from.data_count)
        << "layer '" << layer << "': the file holds " << from.data_count
        << " values for a blob of shape " << blobs.back()->shape_string();
    from.CopyData(blobs.back()->mutable_cpu_data());
  }
  return blobs;
}

template <typename Dtype>
void CustomCopy(const vector<shared_ptr<Blob<float>>>& stored, Layer<Dtype>* layer) {
  vector<Blob<float>*> pointers;
  for (const auto& blob : stored) pointers.push_back(blob.get());
  layer->CustomCopyBlobs(pointers);
}

template <typename Dtype>
bool SameShapes(const vector<shared_ptr<Blob<Dtype>>>& a,
                const vector<shared_ptr<Blob<Dtype>>>& b) {
  return std::equal(
      a.begin(), a.end(), b.begin(), b.end(),
      [](const auto& x, const auto& y) { return x->shape() == y->shape(); });
}

}  // namespace

template <typename Dtype>
void Net<Dtype>::BeginWeightReport() {
  weight_report_ = WeightReport();
}

template <typename Dtype>
void Net<Dtype>::EndWeightReport(const string& source, const vector<string>& mismatches) {
  const std::set<string> loaded(weight_report_.loaded.begin(),
                                weight_report_.loaded.end());
  for (size_t i = 0; i < layers_.size(); ++i) {
    if (!layers_[i]->blobs().empty() && loaded.count(layer_names_[i]) == 0) {
      weight_report_.untouched.push_back(layer_names_[i]);
    }
  }
  LOG(INFO) << "Weights from " << source << ": " << weight_report_.loaded.size()
            << " layers loaded, " << weight_report_.skipped.size()
            << " of the file ignored (" << Listed(weight_report_.skipped) << "), "
            << weight_report_.untouched.size() << " of the net untouched ("
            << Listed(weight_report_.untouched) << ")";
  if (mismatches.empty()) return;
  std::ostringstream text;
  text << source << ": ";
  for (size_t i = 0; i < mismatches.size(); ++i)
    text << (i ? ";\n  " : "") << mismatches[i];
  CAFFE_THROW(kValue) << text.str();
}

template <typename Dtype>
void Net<Dtype>::CopyLayer(const LayerParameter& source, vector<string>* mismatches) {
  const auto found = layer_names_index_.find(source.name());
  if (found == layer_names_index_.end()) {
    if (source.blobs_size() > 0) weight_report_.skipped.push_back(source.name());
    return;
  }
  if (layers_[found->second]->DoesUseCustomCopyBlobs()) {
    vector<shared_ptr<Blob<float>>> stored;
    for (const BlobProto& proto : source.blobs()) {
      stored.push_back(std::make_shared<Blob<float>>());
      stored.back()->FromProto(proto);
    }
    CustomCopy(stored, layers_[found->second].get());
    weight_report_.loaded.push_back(source.name());
    return;
  }
  const auto& blobs = layers_[found->second]->blobs();
  if (static_cast<int>(blobs.size()) != source.blobs_size()) {
    std::ostringstream text;
    text << "Incompatible number of blobs for layer '" << source.name()
         << "': " << source.blobs_size() << " in the source, " << blobs.size()
         << " in the net";
    mismatches->push_back(text.str());
    return;
  }
  for (size_t j = 0; j < blobs.size(); ++j) {
    const BlobProto& proto = source.blobs(static_cast<int>(j));
    if (!blobs[j]->ShapeEquals(proto)) {
      Blob<Dtype> source_blob;
      source_blob.FromProto(proto, true);
      mismatches->push_back("Cannot copy param " + std::to_string(j) +
                            " weights from layer '" + source.name() +
                            "'; shape mismatch. Source param shape is " +
                            source_blob.shape_string() + "; target param shape is " +
                            blobs[j]->shape_string() + kRename);
      return;
    }
    blobs[j]->FromProto(proto, false);
  }
  if (!blobs.empty()) weight_report_.loaded.push_back(source.name());
}

template <typename Dtype>
void Net<Dtype>::CopyTrainedLayersFrom(const NetParameter& param) {
  BeginWeightReport();
  vector<string> mismatches;
  for (const LayerParameter& layer : param.layer()) CopyLayer(layer, &mismatches);
  EndWeightReport("net '" + param.name() + "'", mismatches);
}

template <typename Dtype>
void Net<Dtype>::CopyTrainedLayersFrom(const string& trained_filename) {
  if (IsHDF5File(trained_filename)) {
    CopyTrainedLayersFromHDF5(trained_filename);
  } else {
    CopyTrainedLayersFromBinaryProto(trained_filename);
  }
}

template <typename Dtype>
void Net<Dtype>::CopyTrainedLayersFromBinaryProto(const string& trained_filename) {
  BeginWeightReport();
  vector<string> mismatches;
  {
    CaffemodelReader reader(trained_filename);
    LayerParameter definition;
    vector<StoredBlob> stored;
    while (reader.Next(&definition, &stored)) {
      const string& layer_name = definition.name();
      const auto found = layer_names_index_.find(layer_name);
      if (found == layer_names_index_.end()) {
        if (!stored.empty()) weight_report_.skipped.push_back(layer_name);
        continue;
      }
      if (layers_[found->second]->DoesUseCustomCopyBlobs()) {
        CustomCopy(LoadedBlobs(stored, layer_name), layers_[found->second].get());
        weight_report_.loaded.push_back(layer_name);
        continue;
      }
      const auto& blobs = layers_[found->second]->blobs();
      if (blobs.size() != stored.size()) {
        std::ostringstream text;
        text << "Incompatible number of blobs for layer '" << layer_name
             << "': " << stored.size() << " in the file, " << blobs.size()
             << " in the net";
        mismatches.push_back(text.str());
        continue;
      }
      bool fits = true;
      for (size_t j = 0; j < blobs.size() && fits; ++j) {
        const string problem = CopyStored(stored[j], layer_name, j, blobs[j].get());
        fits = problem.empty();
        if (!fits) mismatches.push_back(problem);
      }
      if (fits && !blobs.empty()) weight_report_.loaded.push_back(layer_name);
    }
  }
#ifdef __GLIBC__
  malloc_trim(0);  // loading must not be the peak of the process
#endif
  EndWeightReport(trained_filename, mismatches);
}

template <typename Dtype>
void Net<Dtype>::ShareTrainedLayersWith(const Net* other) {
  for (size_t i = 0; i < other->layers().size(); ++i) {
    const string& source_name = other->layer_names()[i];
    const auto found = layer_names_index_.find(source_name);
    if (found == layer_names_index_.end()) {
      LOG(INFO) << "Ignoring source layer " << source_name;
      continue;
    }
    const auto& source = other->layers()[i]->blobs();
    auto& target = layers_[found->second]->blobs();
    if (layers_[found->second]->DoesUseCustomCopyBlobs() && !SameShapes(source, target)) {
      vector<shared_ptr<Blob<float>>> stored;
      for (const auto& blob : source) {
        stored.push_back(std::make_shared<Blob<float>>(blob->shape()));
        std::copy_n(blob->cpu_data(), blob->count(), stored.back()->mutable_cpu_data());
      }
      CustomCopy(stored, layers_[found->second].get());
      continue;
    }
    CHECK_EQ(target.size(), source.size())
        << "Incompatible number of blobs for layer " << source_name;
    for (size_t j = 0; j < target.size(); ++j) {
      CHECK(target[j]->shape() == source[j]->shape())
          << "Cannot share param " << j << " weights from layer '" << source_name
          << "'; shape mismatch. Source param shape is " << source[j]->shape_string()
          << "; target param shape is " << target[j]->shape_string();
      target[j]->ShareData(*source[j]);
    }
  }
}

template <typename Dtype>
void Net<Dtype>::ToProto(NetParameter* param, bool write_diff) const {
  param->Clear();
  param->set_name(name_);
  for (const auto& layer : layers_) layer->ToProto(param->add_layer(), write_diff);
}

template <typename Dtype>
void Net<Dtype>::CopyTrainedLayersFromHDF5(const string& trained_filename) {
#ifdef USE_HDF5
  BeginWeightReport();
  LoadNetFromHDF5(trained_filename);
  EndWeightReport(trained_filename, {});
#else
  CAFFE_THROW(kValue) << trained_filename << ": this build has no HDF5";
#endif
}

template <typename Dtype>
void Net<Dtype>::ToHDF5(const string& filename, bool write_diff) const {
#ifdef USE_HDF5
  SaveNetToHDF5(filename, write_diff);
#else
  (void)write_diff;
  CAFFE_THROW(kValue) << filename << ": this build has no HDF5";
#endif
}

#define CAFFE_INSTANTIATE_NET_WEIGHTS(Dtype)                                 \
  template void Net<Dtype>::ShareTrainedLayersWith(const Net*);              \
  template void Net<Dtype>::CopyTrainedLayersFrom(const NetParameter&);      \
  template void Net<Dtype>::CopyTrainedLayersFrom(const string&);            \
  template void Net<Dtype>::CopyTrainedLayersFromBinaryProto(const string&); \
  template void Net<Dtype>::CopyTrainedLayersFromHDF5(const string&);        \
  template void Net<Dtype>::ToProto(NetParameter*, bool) const;              \
  template void Net<Dtype>::ToHDF5(const string&, bool) const;
CAFFE_INSTANTIATE_NET_WEIGHTS(float)
CAFFE_INSTANTIATE_NET_WEIGHTS(double)
#undef CAFFE_INSTANTIATE_NET_WEIGHTS

}  // namespace caffe
