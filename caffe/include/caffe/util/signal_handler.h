// Ctrl-C and hang-up as requests to a Solver: stop, snapshot, or nothing.
#ifndef INCLUDE_CAFFE_UTIL_SIGNAL_HANDLER_H_
#define INCLUDE_CAFFE_UTIL_SIGNAL_HANDLER_H_

#include <csignal>

#include "caffe/solver.hpp"

namespace caffe {

/// While it lives, SIGINT and SIGHUP are noted instead of ending the process, and
/// SIGTERM, which job schedulers send, counts as SIGINT. Where SIGINT means stop, a
/// second one ends the process at once. The handlers that were there before come back
/// with its destruction. One at a time: a second handler is an Error.
class SignalHandler {
 public:
  SignalHandler(SolverAction::Enum SIGINT_action, SolverAction::Enum SIGHUP_action);
  ~SignalHandler();
  /// A function for Solver::SetActionFunction. One call gives one action and forgets it;
  /// SIGHUP goes first. The function may outlive this object.
  ActionCallback GetActionFunction();

 private:
  static SolverAction::Enum NextAction(SolverAction::Enum on_sigint,
                                       SolverAction::Enum on_sighup);

  SolverAction::Enum on_sigint_, on_sighup_;
  struct sigaction previous_sigint_, previous_sighup_, previous_sigterm_;

  DISABLE_COPY_AND_ASSIGN(SignalHandler);
};

}  // namespace caffe

#endif  // INCLUDE_CAFFE_UTIL_SIGNAL_HANDLER_H_
