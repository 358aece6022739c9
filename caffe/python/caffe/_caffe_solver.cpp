// Solvers in Python.
#include "_caffe.hpp"
#include "caffe/sgd_solvers.hpp"
#include "caffe/solver.hpp"
#include "caffe/solver_factory.hpp"
#include "caffe/util/upgrade_proto.hpp"

namespace caffe {
namespace python {

namespace {

using FloatSolver = Solver<float>;

/// Two Python callables as a solver's callback.
class IterationCallback : public FloatSolver::Callback {
 public:
  IterationCallback(py::function on_start, py::function on_gradients_ready)
      : on_start_(std::move(on_start)),
        on_gradients_ready_(std::move(on_gradients_ready)) {}

 protected:
  void on_start() override { Call(on_start_); }
  void on_gradients_ready() override { Call(on_gradients_ready_); }

 private:
  static void Call(const py::function& function) {
    const Held gil;
    function();
  }
  py::function on_start_, on_gradients_ready_;
};

/// The folders in which the modules of a solver's Python layers are searched.
vector<string> Folders(const string& file, const SolverParameter& param) {
  vector<string> folders = {LayerFolders::Of(file)};
  const auto add = [&folders](const string& net) {
    if (!net.empty()) folders.push_back(LayerFolders::Of(net));
  };
  add(param.net());
  add(param.train_net());
  for (const string& net : param.test_net()) add(net);
  return folders;
}

template <typename Make>
auto MakeSolver(const py::object& path, Make&& make) {
  const string file = FileName(path);
  CheckReadable(file);
  SolverParameter param;
  ReadSolverParamsFromTextFileOrDie(file, &param);
  const LayerFolders folders(Folders(file, param));
  auto* solver = [&] {
    Released released;
    return make(param);
  }();
  return WithAttachments(solver);
}

template <typename T>
shared_ptr<T> NewSolver(const py::object& path) {
  return MakeSolver(path, [](const SolverParameter& param) { return new T(param); });
}

shared_ptr<FloatSolver> GetSolver(const py::object& path) {
  return MakeSolver(path, [](const SolverParameter& param) {
    return SolverRegistry<float>::CreateSolver(param);
  });
}

/// Lets a solver finish its iteration when Ctrl-C comes, and then raises
/// KeyboardInterrupt.
template <typename Function>
void RunToIterationEnd(FloatSolver& solver, Function&& function) {
  const LongCall call(&solver, solver.net().get());
  AttachmentsOf(solver.net().get())->shapes.clear();
  InterruptsDeferred interrupts;
  solver.SetActionFunction([&interrupts] {
    return interrupts.Pending() ? SolverAction::STOP : SolverAction::NONE;
  });
  try {
    function();
  } catch (...) {
    solver.SetActionFunction(ActionCallback());
    throw;
  }
  solver.SetActionFunction(ActionCallback());
  interrupts.Finish();
}

void Solve(FloatSolver& solver, const py::object& resume_file) {
  const string file = resume_file.is_none() ? string() : FileName(resume_file);
  RunToIterationEnd(solver, [&] { solver.Solve(file.empty() ? nullptr : file.c_str()); });
}

void Restore(FloatSolver& solver, const py::object& path) {
  const string file = FileName(path);
  CheckReadable(file);
  const LongCall call(&solver);
  solver.Restore(file.c_str());
}

void AddSolverCallback(FloatSolver& solver, const py::function& on_start,
                       const py::function& on_gradients_ready) {
  auto callback = std::make_shared<IterationCallback>(on_start, on_gradients_ready);
  AttachmentsOf(&solver)->owned.push_back(callback);
  solver.add_callback(callback.get());
}

/// The Python object of `value`, made once and kept with the solver's.
template <typename T>
py::object Kept(const py::object& self, const char* name, T&& value) {
  const py::dict members = self.attr("__dict__");
  if (!members.contains(name)) members[name] = py::cast(value);
  return members[name];
}

void BindSolverParameter(py::module_& module) {
  py::class_<SolverParameter>(module, "SolverParameter",
                              "A view of a solver's parameters.")
      .def_property_readonly(
          "max_iter", [](const SolverParameter& param) { return param.max_iter(); })
      .def_property_readonly("display",
                             [](const SolverParameter& param) { return param.display(); })
      .def_property_readonly(
          "layer_wise_reduce",
          [](const SolverParameter& param) { return param.layer_wise_reduce(); })
      .def_property(
          "base_lr", [](const SolverParameter& param) { return param.base_lr(); },
          [](SolverParameter& param, float rate) { param.set_base_lr(rate); },
          "The base learning rate; a new one takes effect at once.");
}

template <typename T, typename Base>
void BindSolverClass(py::module_& module, const char* name) {
  py::class_<T, Base, shared_ptr<T> >(module, name)
      .def(py::init(&NewSolver<T>), py::arg("filename"), "Builds a solver and its nets.");
}

}  // namespace

void BindSolver(py::module_& module) {
  BindSolverParameter(module);

  py::class_<FloatSolver, shared_ptr<FloatSolver> >(module, "Solver", py::dynamic_attr(),
                                                    "What trains a net.")
      .def_property_readonly(
          "net",
          [](const py::object& self) {
            return Kept(self, "_net", self.cast<FloatSolver&>().net());
          },
          "The train net.")
      .def_property_readonly(
          "test_nets",
          [](const py::object& self) {
            return Kept(self, "_test_nets", self.cast<FloatSolver&>().test_nets());
          },
          "The test nets; the first test makes them share the train net's parameters.")
      .def_property_readonly(
          "iter", [](FloatSolver& solver) { return solver.iter(); },
          "Number of updates done.")
      .def_property_readonly(
          "param",
          [](FloatSolver& solver) {
            return const_cast<SolverParameter*>(&solver.param());
          },
          py::return_value_policy::reference_internal)
      .def(
          "step",
          [](FloatSolver& solver, int iterations) {
            RunToIterationEnd(solver, [&] { solver.Step(iterations); });
          },
          py::arg("n"),
          "Trains n iterations. Ctrl-C: KeyboardInterrupt after the current one.")
      .def("solve", &Solve, py::arg("resume_file") = py::none(),
           "Trains to max_iter. Ctrl-C: KeyboardInterrupt after the current iteration.")
      .def("restore", &Restore, py::arg("filename"),
           "Goes on from a .solverstate (or .solverstate.h5) and the weights that it "
           "names.")
      .def(
          "snapshot",
          [](FloatSolver& solver) {
            const LongCall call(&solver);
            solver.Snapshot();
          },
          "Writes weights and solver state.")
      .def_property_readonly("smoothed_loss", &FloatSolver::smoothed_loss,
                             "The loss averaged over the last `average_loss` iterations.")
      .def_property_readonly(
          "has_average", &FloatSolver::has_average,
          "Whether an average of the weights is kept (weight_average).")
      .def(
          "exchange_average",
          [](FloatSolver& solver) {
            const LongCall call(&solver);
            solver.ExchangeAverage();
          },
          "Exchanges the train net's weights with their running average "
          "(weight_average in\nthe solver); a second call exchanges them back.")
      .def_property_readonly("has_average", &FloatSolver::has_average,
                             "Whether a running average of the weights is kept.")
      .def(
          "share_weights",
          [](FloatSolver& solver, FloatNet& net) {
            net.ShareTrainedLayersWith(solver.net().get());
          },
          py::arg("net"), "Makes the train net's parameters those of `net`.")
      .def("add_callback", &AddSolverCallback, py::arg("on_start"),
           py::arg("on_gradients_ready"),
           "Calls on_start() before and on_gradients_ready() after the passes of an "
           "iteration.")
      .def(
          "apply_update",
          [](FloatSolver& solver) {
            const LongCall call(&solver);
            solver.ApplyUpdate();
          },
          "One update from the gradients that the net holds.");

  py::class_<SGDSolver<float>, FloatSolver, shared_ptr<SGDSolver<float> > >(module,
                                                                            "SGDSolver")
      .def(py::init(&NewSolver<SGDSolver<float> >), py::arg("filename"),
           "Builds a solver and its nets.")
      .def_property_readonly("lr", &SGDSolver<float>::GetLearningRate,
                             "The learning rate of the current iteration.");
  using Sgd = SGDSolver<float>;
  BindSolverClass<NesterovSolver<float>, Sgd>(module, "NesterovSolver");
  BindSolverClass<AdaGradSolver<float>, Sgd>(module, "AdaGradSolver");
  BindSolverClass<RMSPropSolver<float>, Sgd>(module, "RMSPropSolver");
  BindSolverClass<AdaDeltaSolver<float>, Sgd>(module, "AdaDeltaSolver");
  BindSolverClass<AdamSolver<float>, Sgd>(module, "AdamSolver");

  module.def("get_solver", &GetSolver, py::arg("filename"),
             "A solver of the type that the file names.");
}

}  // namespace python
}  // namespace caffe
