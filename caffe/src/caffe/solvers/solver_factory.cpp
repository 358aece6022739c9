// The solver registry.
#include "caffe/solver_factory.hpp"

#include "caffe/solver.hpp"
#include "caffe/util/edit_distance.hpp"
#include "caffe/util/upgrade_proto.hpp"

namespace caffe {

template <typename Dtype>
typename SolverRegistry<Dtype>::CreatorRegistry& SolverRegistry<Dtype>::Registry() {
  static CreatorRegistry registry;
  return registry;
}

template <typename Dtype>
void SolverRegistry<Dtype>::AddCreator(const string& type, Creator creator) {
  CHECK_EQ(Registry().count(type), 0u)
      << "solver type " << type << " is registered twice";
  Registry()[type] = creator;
}

template <typename Dtype>
Solver<Dtype>* SolverRegistry<Dtype>::CreateSolver(const SolverParameter& param) {
  if (SolverNeedsTypeUpgrade(param)) {
    SolverParameter upgraded = param;
    CHECK(UpgradeSolverType(&upgraded)) << "solver_type cannot be upgraded";
    return CreateSolver(upgraded);
  }
  const auto found = Registry().find(param.type());
  if (found != Registry().end()) return found->second(param);
  std::ostringstream known;
  for (const string& type : SolverTypeList()) known << " " << type;
  CAFFE_THROW(kValue) << "unknown solver type '" << param.type()
                      << "' (known types:" << known.str() << ")";
}

template <typename Dtype>
vector<string> SolverRegistry<Dtype>::SolverTypeList() {
  vector<string> types;
  for (const auto& entry : Registry()) types.push_back(entry.first);
  return types;
}

template class SolverRegistry<float>;
template class SolverRegistry<double>;

}  // namespace caffe
