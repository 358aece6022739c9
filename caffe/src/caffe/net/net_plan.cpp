// Finding fused groups and last uses, and running them.
#include "caffe/net_plan.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <set>
#include <utility>

#include "caffe/device/graph.hpp"

namespace caffe {

namespace {

bool PlanIsOff() {
  const char* plan = std::getenv("CAFFE_PLAN");
  return plan != nullptr && std::strcmp(plan, "off") == 0;
}

template <typename Dtype>
bool IsPlainSum(const Layer<Dtype>& layer) {
  if (std::strcmp(layer.type(), "Eltwise") != 0) return false;
  const EltwiseParameter& param = layer.layer_param().eltwise_param();
  if (param.operation() != EltwiseParameter_EltwiseOp_SUM) return false;
  return std::all_of(param.coeff().begin(), param.coeff().end(),
                     [](float coeff) { return coeff == 1.f; });
}

}  // namespace

template <typename Dtype>
NetPlan<Dtype>::NetPlan(Net<Dtype>* net) : net_(net) {
  const bool off = PlanIsOff();
  keep_ = !off && net->definition().keep_size() > 0;
  for (const string& name : net->definition().keep()) {
    if (!name.empty() && !net->has_blob(name)) {
      CAFFE_THROW(kKey) << "keep names blob '" << name
                        << "', which this net does not have";
    }
  }
  group_of_layer_.assign(net->layers().size(), -1);
  group_holding_ = group_of_layer_;
  fusion_enabled_ =
      !off && (net->phase() == TEST || keep_) && !net->definition().force_backward();
  if (keep_) {
    arena_ = std::make_shared<Arena>();
    for (const string& name : net->blob_names()) {
      blob_name_labels_.push_back(std::make_shared<const string>(name));
    }
    // Now, while all blobs that share memory do: a reshape parts them until their layer
    // runs.
    FindLastUses();
    // Training writes its weights in every iteration; only a TEST net gains.
    if (net->phase() == TEST) {
      for (const auto& layer : net->layers()) {
        for (const auto& blob : layer->blobs()) blob->data()->AllowPackedOnly();
      }
    }
  }
  if (fusion_enabled_) FindGroups();
}

/// Whether layer `next` works in place on the blob and fits behind what the group holds.
template <typename Dtype>
bool NetPlan<Dtype>::ExtendInPlace(Group* group, int blob_id, int* next) const {
  if (*next >= static_cast<int>(net_->layers().size())) return false;
  const auto& bottoms = net_->bottom_ids(*next);
  const auto& tops = net_->top_ids(*next);
  if (bottoms.size() != 1 || tops.size() != 1) return false;
  if (bottoms[0] != blob_id || tops[0] != blob_id) return false;
  if (net_->layers()[*next]->loss(0) != Dtype(0)) return false;
  Layer<Dtype>* layer = net_->layers()[*next].get();
  if (group->epilogue.activation.kind != Activation::kNone) return false;
  if (auto* affine = dynamic_cast<ChannelAffine*>(layer)) {
    if (group->join >= 0 || !affine->is_channel_affine()) return false;
    if (NeedsBackward(*group) && !affine->has_affine_backward()) return false;
    group->affine.Add(affine);
  } else if (const auto* role = dynamic_cast<ActivationRole*>(layer)) {
    const Activation activation = role->activation();
    if (activation.kind == Activation::kNone) return false;
    group->epilogue.activation = activation;
  } else {
    return false;
  }
  group->last = (*next)++;
  return true;
}

/// Whether layer `next` is a residual join of the blob that may run in the same call:
/// only where nobody can ask for the blob's own value.
template <typename Dtype>
bool NetPlan<Dtype>::ExtendJoin(Group* group, int blob_id, int next) const {
  if (!keep_ || next >= static_cast<int>(net_->layers().size())) return false;
  if (NeedsBackward(*group) || net_->layer_need_backward()[next]) return false;
  const auto& bottoms = net_->bottom_ids(next);
  const auto& tops = net_->top_ids(next);
  if (bottoms.size() != 2 || tops.size() != 1 || !IsPlainSum(*net_->layers()[next]))
    return false;
  if (group->epilogue.activation.kind != Activation::kNone) return false;
  if (bottoms[0] == bottoms[1] || tops[0] == bottoms[0] || tops[0] == bottoms[1])
    return false;
  if (bottoms[0] != blob_id && bottoms[1] != blob_id) return false;
  const auto& kept = net_->definition().keep();
  if (std::find(kept.begin(), kept.end(), net_->blob_names()[blob_id]) != kept.end())
    return false;
  const auto& shapes = net_->bottom_vecs()[next];
  if (shapes[0]->shape() != shapes[1]->shape()) return false;
  group->join = next;
  group->addend_blob = bottoms[0] == blob_id ? bottoms[1] : bottoms[0];
  group->last = next;
  return true;
}

template <typename Dtype>
void NetPlan<Dtype>::FindGroups() {
  const int count = static_cast<int>(net_->layers().size());
  for (int i = 0; i < count; ++i) {
    auto* host = dynamic_cast<EpilogueHost<Dtype>*>(net_->layers()[i].get());
    if (host == nullptr || net_->top_ids(i).size() != 1 ||
        net_->bottom_ids(i).size() != 1)
      continue;
    if (net_->top_ids(i)[0] == net_->bottom_ids(i)[0]) continue;
    if (net_->layers()[i]->loss(0) != Dtype(0)) continue;
    Group group;
    group.first = group.last = i;
    group.host = host;
    const int blob_id = net_->top_ids(i)[0];
    int next = i + 1;
    while (ExtendInPlace(&group, blob_id, &next)) {
    }
    if (ExtendJoin(&group, blob_id, next)) {
      ++next;
      ExtendInPlace(&group, net_->top_ids(group.join)[0], &next);
    }
    if (group.last == group.first) continue;
    group_of_layer_[i] = static_cast<int>(groups_.size());
    for (int k = group.first; k <= group.last; ++k)
      group_holding_[k] = group_of_layer_[i];
    groups_.push_back(std::move(group));
    i = groups_.back().last;
  }
}

template <typename Dtype>
bool NetPlan<Dtype>::FusionAllowed() const {
  return fusion_enabled_ && net_->RunsUnwatched();
}

/// Whether any layer of the group runs backward when the net trains.
template <typename Dtype>
bool NetPlan<Dtype>::NeedsBackward(const Group& group) const {
  if (net_->phase() == TEST) return false;
  const auto& need = net_->layer_need_backward();
  return std::any_of(need.begin() + group.first, need.begin() + group.last + 1,
                     [](bool n) { return n; });
}

template <typename Dtype>
bool NetPlan<Dtype>::AcceptsGroup(const Group& group) const {
  return group.host->AcceptsEpilogue(group.epilogue) &&
         (!NeedsBackward(group) || group.host->AcceptsEpilogueBackward(group.epilogue));
}

/// Whether the group's parameters are folded on the device: where they may change from
/// pass to pass there. A TEST net folds on the host, and the device holds the folded
/// form alone.
template <typename Dtype>
bool NetPlan<Dtype>::FoldsOnDevice() const {
  return Caffe::mode() == Caffe::GPU && net_->phase() == TRAIN;
}

template <typename Dtype>
void NetPlan<Dtype>::RefreshAffine(Group* group) {
  const int channels = net_->top_vecs()[group->first][0]->shape(1);
  if (FoldsOnDevice()) {
    group->affine.FoldOnDevice(channels, &group->epilogue);
  } else {
    group->affine.Fold(channels, &group->epilogue);
  }
}

template <typename Dtype>
int NetPlan<Dtype>::RunGroup(int layer_id, int end) {
  const int group_id = group_of_layer_[layer_id];
  if (group_id < 0) return layer_id;
  Group& group = groups_[group_id];
  group.ran_fused = false;
  if (!FusionAllowed()) return layer_id;
  if (group.last > end) return layer_id;
  if (!group.affine.holds()) return layer_id;
  if (FoldsOnDevice() && !group.affine.composes_on_device()) return layer_id;
  const auto& bottom = net_->bottom_vecs()[group.first];
  const auto& top = net_->top_vecs()[group.join >= 0 ? group.join : group.first];
  try {
    for (int i = group.first; i <= group.last; ++i) {
      net_->layers()[i]->Reshape(net_->bottom_vecs()[i], net_->top_vecs()[i]);
    }
    RefreshAffine(&group);
    group.epilogue.addend =
        group.addend_blob >= 0 ? net_->blobs()[group.addend_blob].get() : nullptr;
    if (!AcceptsGroup(group)) return layer_id;
    if (arena_) top[0]->data()->set_arena(arena_);
    group.host->ForwardWithEpilogue(bottom, top, group.epilogue);
  } catch (Error& error) {
    error.AddContext(net_->DescribeLayer(group.first) + " with the layers fused to it");
    throw;
  } catch (const std::bad_alloc&) {
    throw Error("not enough memory in " + net_->DescribeLayer(group.first),
                Error::kMemory);
  }
  group.ran_fused = true;
  AfterLayers(group.first, group.last);
  return group.last + 1;
}

/// Only the groups are repeated: data layers do not move on, and what a layer outside of
/// them changed in place (the net's input, say) is not changed twice.
template <typename Dtype>
bool NetPlan<Dtype>::PrepareBackward() {
  const bool fused = std::exchange(fusion_enabled_, false);
  const int count = static_cast<int>(net_->layers().size());
  for (Group& group : groups_) {
    if (!group.ran_fused) continue;
    group.ran_fused = false;
    const int blob_id = net_->top_ids(group.first)[0];
    for (int i = group.first; i < count; ++i) {
      const auto& tops = net_->top_ids(i);
      // Layers behind the group that go on in place belong to it here.
      if (std::find(tops.begin(), tops.end(), blob_id) == tops.end()) continue;
      net_->layers()[i]->Forward(net_->bottom_vecs()[i], net_->top_vecs()[i]);
    }
  }
  return fused;
}

template <typename Dtype>
int NetPlan<Dtype>::RunGroupBackward(int layer_id, int end) {
  const int group_id = group_holding_[layer_id];
  if (group_id < 0 || !groups_[group_id].ran_fused) return layer_id;
  Group& group = groups_[group_id];
  if (layer_id != group.last || group.first < end || !FusionAllowed()) {
    group.ran_fused = false;
    for (int i = group.first; i <= group.last; ++i) {
      net_->layers()[i]->Forward(net_->bottom_vecs()[i], net_->top_vecs()[i]);
    }
    return layer_id;
  }
  if (!NeedsBackward(group)) return group.first - 1;
  const auto& bottom = net_->bottom_vecs()[group.first];
  const auto& top = net_->top_vecs()[group.first];
  const auto& propagate_down = net_->bottom_need_backward()[group.first];
  const bool affine_learns = std::any_of(
      net_->layer_need_backward().begin() + group.first + 1,
      net_->layer_need_backward().begin() + group.last + 1, [](bool n) { return n; });
  const bool wants_affine = affine_learns && !group.affine.empty();
  AffineGradient gradient;
  BeforeBackward(group.first);
  try {
    if (wants_affine && FoldsOnDevice()) {
      gradient.on_device = group.affine.gradient_on_device(top[0]->shape(1));
    }
    group.host->BackwardWithEpilogue(top, propagate_down, bottom, group.epilogue,
                                     wants_affine ? &gradient : nullptr);
    if (wants_affine) group.affine.Backward(&gradient);
  } catch (Error& error) {
    error.AddContext("backward of " + net_->DescribeLayer(group.first) +
                     " with the layers fused to it");
    throw;
  }
  if (propagate_down[0] && !device::is_recording()) bottom[0]->diff()->SyncViews();
  AfterBackward(group.first);
  return group.first - 1;
}

template <typename Dtype>
void NetPlan<Dtype>::BeforeLayer(int layer_id) {
  if (!arena_) return;
  const auto& tops = net_->top_vecs()[layer_id];
  Layer<Dtype>* layer = net_->layers()[layer_id].get();
  // Forward reshapes again; a Python data layer may take its next sample in reshape.
  if (layer->layer_param().type() != "Python") {
    layer->Reshape(net_->bottom_vecs()[layer_id], tops);
  }
  for (Blob<Dtype>* top : tops) {
    top->data()->set_arena(arena_);
    top->data()->Reclaim();  // a layer may look at its tops before it writes them
  }
}

template <typename Dtype>
void NetPlan<Dtype>::AfterLayers(int first, int last) {
  for (int i = first; i <= last && !device::is_recording(); ++i) {
    for (Blob<Dtype>* top : net_->top_vecs()[i]) top->data()->SyncViews();
  }
  if (!keep_) return;
  for (int i = first; i <= last; ++i) {
    for (const int blob_id : release_after_[i]) {
      net_->blobs()[blob_id]->data()->Release(blob_name_labels_[blob_id]);
    }
  }
}

template <typename Dtype>
void NetPlan<Dtype>::BeforeBackward(int layer_id) {
  if (!arena_) return;
  const auto& bottoms = net_->bottom_vecs()[layer_id];
  for (size_t b = 0; b < bottoms.size(); ++b) {
    if (net_->bottom_need_backward()[layer_id][b]) bottoms[b]->diff()->set_arena(arena_);
  }
}

template <typename Dtype>
void NetPlan<Dtype>::AfterBackward(int layer_id) {
  if (!keep_ || net_->phase() != TRAIN) return;
  for (const int blob_id : release_after_backward_[layer_id]) {
    net_->blobs()[blob_id]->data()->Release(blob_name_labels_[blob_id]);
  }
  // A diff is done with when the layer that made its blob has run; shared ones (Reshape,
  // Flatten) when the layer that made the bottom has.
  const auto& bottoms = net_->bottom_vecs()[layer_id];
  for (Blob<Dtype>* top : net_->top_vecs()[layer_id]) {
    const bool is_bottoms =
        std::any_of(bottoms.begin(), bottoms.end(),
                    [top](const auto* bottom) { return bottom->diff() == top->diff(); });
    if (!is_bottoms) top->diff()->Release(nullptr);
  }
}

/// For each layer, the blobs that nobody reads after it. Blobs that share memory (Split
/// tops, Reshape, Flatten) die together, with the last of them.
template <typename Dtype>
void NetPlan<Dtype>::FindLastUses() {
  const int count = static_cast<int>(net_->layers().size());
  std::set<const SyncedMemory*> immortal;
  const auto& kept = net_->definition().keep();
  for (size_t id = 0; id < net_->blobs().size(); ++id) {
    if (std::find(kept.begin(), kept.end(), net_->blob_names()[id]) != kept.end()) {
      immortal.insert(net_->blobs()[id]->data().get());
    }
  }
  for (const Blob<Dtype>* blob : net_->input_blobs()) immortal.insert(blob->data().get());
  for (const Blob<Dtype>* blob : net_->output_blobs())
    immortal.insert(blob->data().get());
  for (const auto& param : net_->params()) {  // a Parameter layer's top is its parameter
    immortal.insert(param->data().get());
  }
  // DummyData with constant fillers writes its tops once.
  for (int i = 0; i < count; ++i) {
    if (!net_->bottom_vecs()[i].empty() || !net_->layers()[i]->RepeatsOnDevice())
      continue;
    for (const Blob<Dtype>* top : net_->top_vecs()[i]) immortal.insert(top->data().get());
  }
  // What backward may read lives until the backward of the first layer that touched it.
  const bool trains = net_->phase() == TRAIN;
  std::map<const SyncedMemory*, int> first_use, last_use;
  std::set<const SyncedMemory*> read_by_backward;
  for (int i = 0; i < count; ++i) {
    for (const auto* blobs : {&net_->bottom_vecs()[i], &net_->top_vecs()[i]}) {
      for (const Blob<Dtype>* blob : *blobs) {
        const SyncedMemory* memory = blob->data().get();
        first_use.emplace(memory, i);
        last_use[memory] = i;
        if (trains && net_->layer_need_backward()[i]) read_by_backward.insert(memory);
      }
    }
  }
  release_after_.assign(count, {});
  release_after_backward_.assign(count, {});
  std::set<const SyncedMemory*> listed;
  for (size_t id = 0; id < net_->blobs().size(); ++id) {
    const SyncedMemory* memory = net_->blobs()[id]->data().get();
    const auto use = last_use.find(memory);
    if (use == last_use.end() || immortal.count(memory) || !listed.insert(memory).second)
      continue;
    if (read_by_backward.count(memory) == 0) {
      release_after_[use->second].push_back(static_cast<int>(id));
    } else {
      release_after_backward_[first_use[memory]].push_back(static_cast<int>(id));
    }
  }
}

template class NetPlan<float>;
template class NetPlan<double>;

}  // namespace caffe
