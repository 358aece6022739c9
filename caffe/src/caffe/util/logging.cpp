// The exception class, log levels and the default log sink.
#include "caffe/util/logging.hpp"

#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstring>
#include <ctime>

namespace caffe {

Error::Error(const std::string& message, Kind kind)
    : std::runtime_error(message), message_(message), kind_(kind) {
  Compose();
}

Error::Error(const std::string& file, int line, const std::string& message, Kind kind)
    : std::runtime_error(message),
      message_(message),
      file_(file),
      line_(line),
      kind_(kind) {
  Compose();
}

void Error::AddContext(const std::string& context) {
  if (!context_.empty()) context_ += "; ";
  context_ += context;
  Compose();
}

void Error::Compose() {
  text_ = message_;
  while (!text_.empty() && text_.back() == ' ') text_.pop_back();
  if (!context_.empty()) text_ += "\n  in " + context_;
  if (!file_.empty()) {
    const size_t slash = file_.rfind('/');
    text_ += "\n  at " + (slash == std::string::npos ? file_ : file_.substr(slash + 1)) +
             ":" + std::to_string(line_);
  }
}

namespace {

int StartLevel() {
  const char* level = std::getenv("GLOG_minloglevel");
  return level != nullptr && *level != '\0' ? std::atoi(level) : LOG_WARNING;
}

std::atomic<int>& Level() {
  static std::atomic<int> level(StartLevel());
  return level;
}

std::atomic<LogSink> g_sink{nullptr};

/// One line in glog's form: `I1126 07:00:00.123456  4242 net.cpp:51] text`.
void WriteToStderr(LogSeverity severity, const char* file, int line,
                   const std::string& text) {
  timeval now;
  gettimeofday(&now, nullptr);
  tm parts;
  localtime_r(&now.tv_sec, &parts);
  const char* slash = std::strrchr(file, '/');
  std::fprintf(stderr, "%c%02d%02d %02d:%02d:%02d.%06ld %5d %s:%d] %s\n",
               "IWEF"[severity], parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
               parts.tm_min, parts.tm_sec, static_cast<long>(now.tv_usec),
               static_cast<int>(getpid()), slash != nullptr ? slash + 1 : file, line,
               text.c_str());
}

}  // namespace

int MinLogLevel() { return Level().load(std::memory_order_relaxed); }
void SetMinLogLevel(int level) { Level().store(level); }
void SetLogSink(LogSink sink) { g_sink.store(sink); }

namespace internal {

LogMessage::~LogMessage() {
  if (severity_ < MinLogLevel()) return;
  const LogSink sink = g_sink.load();
  (sink != nullptr ? sink : WriteToStderr)(severity_, file_, line_, stream_.str());
}

}  // namespace internal
}  // namespace caffe
