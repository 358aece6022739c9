// Solvers of older formats, and the snapshot prefix of a solver that is read from a file.
#include <sys/stat.h>

#include <string>

#include "caffe/util/io.hpp"
#include "caffe/util/upgrade_proto.hpp"

namespace caffe {

namespace {

const char* SolverTypeName(SolverParameter_SolverType type) {
  switch (type) {
    case SolverParameter::SGD:
      return "SGD";
    case SolverParameter::NESTEROV:
      return "Nesterov";
    case SolverParameter::ADAGRAD:
      return "AdaGrad";
    case SolverParameter::RMSPROP:
      return "RMSProp";
    case SolverParameter::ADADELTA:
      return "AdaDelta";
    case SolverParameter::ADAM:
      return "Adam";
  }
  throw Error("unknown solver_type " + std::to_string(static_cast<int>(type)),
              Error::kValue);
}

/// The path without its extension; dots in folder names are none.
string WithoutExtension(const string& path) {
  const size_t slash = path.rfind('/');
  const size_t start = slash == string::npos ? 0 : slash + 1;
  const size_t dot = path.rfind('.');
  return dot == string::npos || dot <= start ? path : path.substr(0, dot);
}

string Stem(const string& path) {
  const string name = WithoutExtension(path);
  const size_t slash = name.rfind('/');
  return slash == string::npos ? name : name.substr(slash + 1);
}

bool IsFolder(const string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// differs: the original upgrades nets that are read from a file, not those inside a
// solver.
bool UpgradeInlineNets(const string& file, SolverParameter* param) {
  bool compatible = true;
  if (param->has_net_param()) {
    compatible &= UpgradeNetAsNeeded(file + " (net_param)", param->mutable_net_param());
  }
  if (param->has_train_net_param()) {
    compatible &=
        UpgradeNetAsNeeded(file + " (train_net_param)", param->mutable_train_net_param());
  }
  for (NetParameter& net : *param->mutable_test_net_param()) {
    compatible &= UpgradeNetAsNeeded(file + " (test_net_param)", &net);
  }
  return compatible;
}

}  // namespace

bool SolverNeedsTypeUpgrade(const SolverParameter& solver_param) {
  return solver_param.has_solver_type();
}

bool UpgradeSolverType(SolverParameter* solver_param) {
  if (!solver_param->has_solver_type()) return true;
  if (solver_param->has_type()) {
    throw Error("the solver has both type and solver_type (the old form); use type",
                Error::kValue);
  }
  solver_param->set_type(SolverTypeName(solver_param->solver_type()));
  solver_param->clear_solver_type();
  return true;
}

bool UpgradeSolverAsNeeded(const string& param_file, SolverParameter* param) {
  if (SolverNeedsTypeUpgrade(*param)) {
    LOG(INFO) << param_file << ": upgrading solver_type";
    try {
      UpgradeSolverType(param);
    } catch (const Error& error) {
      throw Error(param_file + ": " + error.message(), error.kind());
    }
    LOG(WARNING) << param_file << ": solver_type is the old form of type: \""
                 << param->type() << "\"; upgraded here, and better done in the file";
  }
  return UpgradeInlineNets(param_file, param);
}

void UpgradeSnapshotPrefixProperty(const string& param_file, SolverParameter* param) {
  if (!param->has_snapshot_prefix()) {
    param->set_snapshot_prefix(WithoutExtension(param_file));
    LOG(INFO) << "snapshot_prefix is not set; using " << param->snapshot_prefix();
  } else if (IsFolder(param->snapshot_prefix())) {
    string folder = param->snapshot_prefix();
    while (folder.size() > 1 && folder.back() == '/') folder.pop_back();
    param->set_snapshot_prefix((folder == "/" ? folder : folder + "/") +
                               Stem(param_file));
    LOG(INFO) << "snapshot_prefix is a folder; using " << param->snapshot_prefix();
  }
}

void ReadSolverParamsFromTextFileOrDie(const string& param_file, SolverParameter* param) {
  ReadProtoFromTextFileOrDie(param_file, param);
  if (param->ByteSizeLong() == 0) {
    throw Error(param_file + ": defines no solver: the file has no content",
                Error::kValue);
  }
  UpgradeSolverAsNeeded(param_file, param);
  UpgradeSnapshotPrefixProperty(param_file, param);
}

}  // namespace caffe
