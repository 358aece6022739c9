// Noting SIGINT, SIGTERM and SIGHUP in flags that the solver asks for.
#include "caffe/util/signal_handler.h"

#include <atomic>
#include <cerrno>
#include <cstring>

namespace caffe {
namespace {

volatile std::sig_atomic_t g_got_sigint = 0;
volatile std::sig_atomic_t g_got_sighup = 0;
volatile std::sig_atomic_t g_stop_was_asked_for = 0;
volatile std::sig_atomic_t g_sigint_stops = 0;
std::atomic<bool> g_hooked{false};

void note_signal(int signal) {
  if (signal == SIGHUP) {
    g_got_sighup = 1;
    return;
  }
  if (g_sigint_stops != 0 &&
      g_stop_was_asked_for != 0) {  // whoever asks twice is in a hurry
    std::signal(signal, SIG_DFL);
    std::raise(signal);
    return;
  }
  g_stop_was_asked_for = 1;
  g_got_sigint = 1;
}

void install(int signal, struct sigaction* previous) {
  struct sigaction action;
  std::memset(&action, 0, sizeof action);
  action.sa_handler = &note_signal;
  action.sa_flags = SA_RESTART;  // a read that is under way goes on
  sigfillset(&action.sa_mask);
  CHECK_EQ(sigaction(signal, &action, previous), 0)
      << "cannot install the handler of signal " << signal << ": "
      << std::strerror(errno);
}

bool take(volatile std::sig_atomic_t* flag) {
  const bool was_set = *flag != 0;
  *flag = 0;
  return was_set;
}

}  // namespace

SignalHandler::SignalHandler(SolverAction::Enum SIGINT_action,
                             SolverAction::Enum SIGHUP_action)
    : on_sigint_(SIGINT_action), on_sighup_(SIGHUP_action) {
  CHECK(!g_hooked.exchange(true)) << "Already hooked up signal handlers.";
  g_got_sigint = g_got_sighup = g_stop_was_asked_for = 0;
  g_sigint_stops = SIGINT_action == SolverAction::STOP ? 1 : 0;
  install(SIGHUP, &previous_sighup_);
  install(SIGINT, &previous_sigint_);
  install(SIGTERM, &previous_sigterm_);
}

SignalHandler::~SignalHandler() {
  sigaction(SIGHUP, &previous_sighup_, nullptr);
  sigaction(SIGINT, &previous_sigint_, nullptr);
  sigaction(SIGTERM, &previous_sigterm_, nullptr);
  g_hooked = false;
}

SolverAction::Enum SignalHandler::NextAction(SolverAction::Enum on_sigint,
                                             SolverAction::Enum on_sighup) {
  if (take(&g_got_sighup)) return on_sighup;
  if (take(&g_got_sigint)) return on_sigint;
  return SolverAction::NONE;
}

ActionCallback SignalHandler::GetActionFunction() {
  return [on_sigint = on_sigint_, on_sighup = on_sighup_] {
    return NextAction(on_sigint, on_sighup);
  };
}

}  // namespace caffe
