// DummyData: shapes and fillers, one for all tops or one a top.
#include "caffe/layers/dummy_data_layer.hpp"

namespace caffe {

namespace {

// Shape of top `index`; checks that the shapes given are none, one or one a top.
vector<int> TopShape(const DummyDataParameter& param, int index, int tops) {
  const int shapes = param.shape_size();
  const int old[] = {param.num_size(), param.channels_size(), param.height_size(),
                     param.width_size()};
  const bool old_form = old[0] > 0 || old[1] > 0 || old[2] > 0 || old[3] > 0;
  CHECK(!(shapes > 0 && old_form))
      << "dummy_data_param: give shape, or num, channels, height and width, not both";
  if (!old_form) {
    CHECK(shapes == 1 || shapes == tops)
        << "dummy_data_param: give one shape, or one for each of the " << tops
        << " tops; " << shapes << " are given";
    const BlobShape& shape = param.shape(shapes == 1 ? 0 : index);
    return vector<int>(shape.dim().begin(), shape.dim().end());
  }
  const char* const names[] = {"num", "channels", "height", "width"};
  for (int i = 0; i < 4; ++i) {
    CHECK(old[i] == 1 || old[i] == tops)
        << "dummy_data_param: give " << names[i] << " once, or for each of the " << tops
        << " tops; it is given " << old[i] << " times";
  }
  const auto size = [&](const google::protobuf::RepeatedField<uint32_t>& field) {
    return static_cast<int>(field.Get(field.size() == 1 ? 0 : index));
  };
  return {size(param.num()), size(param.channels()), size(param.height()),
          size(param.width())};
}

}  // namespace

template <typename Dtype>
void DummyDataLayer<Dtype>::LayerSetUp(const vector<Blob<Dtype>*>&,
                                       const vector<Blob<Dtype>*>& top) {
  const DummyDataParameter& param = this->layer_param_.dummy_data_param();
  const int tops = static_cast<int>(top.size()), given = param.data_filler_size();
  CHECK(given == 0 || given == 1 || given == tops)
      << "dummy_data_param: give no data_filler, one, or one for each of the " << tops
      << " tops; " << given << " are given";
  for (int i = 0; i < tops; ++i) {
    FillerParameter filler;
    if (given > 0) filler = param.data_filler(given == 1 ? 0 : i);
    fillers_.emplace_back(GetFiller<Dtype>(filler));
    refill_.push_back(filler.type() != "constant");
    top[i]->Reshape(TopShape(param, i, tops));
    if (!refill_[i]) fillers_[i]->Fill(top[i]);
  }
}

template <typename Dtype>
void DummyDataLayer<Dtype>::Forward_cpu(const vector<Blob<Dtype>*>&,
                                        const vector<Blob<Dtype>*>& top) {
  for (size_t i = 0; i < top.size(); ++i) {
    if (refill_[i]) fillers_[i]->Fill(top[i]);
  }
}

template <typename Dtype>
void DummyDataLayer<Dtype>::Backward_cpu(const vector<Blob<Dtype>*>&, const vector<bool>&,
                                         const vector<Blob<Dtype>*>&) {}

INSTANTIATE_CLASS(DummyDataLayer);
REGISTER_LAYER_CLASS(DummyData);

}  // namespace caffe
