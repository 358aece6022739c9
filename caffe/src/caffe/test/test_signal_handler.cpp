// Signals become the solver's actions, and the previous handlers come back.
#include "caffe/test/test_caffe_main.hpp"
#include "caffe/util/signal_handler.h"

namespace caffe {
namespace {

int g_own_handler_calls = 0;

TEST(SignalHandlerTest, EachSignalGivesItsActionOnce) {
  SignalHandler handler(SolverAction::STOP, SolverAction::SNAPSHOT);
  const ActionCallback action = handler.GetActionFunction();
  EXPECT_EQ(action(), SolverAction::NONE);
  std::raise(SIGINT);
  std::raise(SIGHUP);
  EXPECT_EQ(action(), SolverAction::SNAPSHOT) << "SIGHUP goes first";
  EXPECT_EQ(action(), SolverAction::STOP);
  EXPECT_EQ(action(), SolverAction::NONE);
}

TEST(SignalHandlerTest, TerminationIsAnInterrupt) {
  SignalHandler handler(SolverAction::SNAPSHOT, SolverAction::NONE);
  std::raise(SIGTERM);
  EXPECT_EQ(handler.GetActionFunction()(), SolverAction::SNAPSHOT);
}

TEST(SignalHandlerTest, OneAtATimeAndThePreviousHandlerComesBack) {
  struct sigaction previous;
  sigaction(SIGINT, nullptr, &previous);
  std::signal(SIGINT, [](int) { ++g_own_handler_calls; });
  {
    SignalHandler handler(SolverAction::STOP, SolverAction::NONE);
    EXPECT_THROW(SignalHandler(SolverAction::STOP, SolverAction::NONE), Error);
    std::raise(SIGINT);
    EXPECT_EQ(g_own_handler_calls, 0);
  }
  std::raise(SIGINT);
  EXPECT_EQ(g_own_handler_calls, 1);
  SignalHandler again(SolverAction::NONE, SolverAction::NONE);
  EXPECT_EQ(again.GetActionFunction()(), SolverAction::NONE)
      << "old signals are forgotten";
  sigaction(SIGINT, &previous, nullptr);
}

}  // namespace
}  // namespace caffe
