// Logging and checks under glog's names. A failed check throws caffe::Error; nothing
// aborts.
//
// differs: glog ends the process on LOG(FATAL) and on a failed CHECK. Here both throw,
// from an operator and not from a destructor, so an error can always be caught.
#ifndef CAFFE_UTIL_LOGGING_HPP_
#define CAFFE_UTIL_LOGGING_HPP_

#include <cstdlib>
#include <memory>
#include <ostream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace caffe {

/// The one exception of the engine. `kind` tells Python which built-in class it also is.
class Error : public std::runtime_error {
 public:
  enum Kind { kGeneric, kValue, kKey, kIndex, kFileNotFound, kMemory, kInterrupted };

  explicit Error(const std::string& message, Kind kind = kGeneric);
  Error(const std::string& file, int line, const std::string& message,
        Kind kind = kGeneric);

  const char* what() const noexcept override { return text_.c_str(); }
  Kind kind() const { return kind_; }
  /// The message alone, without the source position and without context.
  const std::string& message() const { return message_; }
  const std::string& file() const { return file_; }
  int line() const { return line_; }
  /// Appends where it happened ("layer 'conv1' (Convolution), bottom 'data' 1 3 8 8
  /// (192)").
  void AddContext(const std::string& context);

 private:
  void Compose();

  std::string message_, file_, context_, text_;
  int line_ = 0;
  Kind kind_ = kGeneric;
};

enum LogSeverity { LOG_INFO = 0, LOG_WARNING = 1, LOG_ERROR = 2, LOG_FATAL = 3 };

/// Messages below this level are not written. Start value: GLOG_minloglevel, else
/// WARNING.
int MinLogLevel();
void SetMinLogLevel(int level);
/// Where messages go: nullptr restores stderr. The sink may be called from any thread.
using LogSink = void (*)(LogSeverity, const char* file, int line,
                         const std::string& text);
void SetLogSink(LogSink sink);

namespace internal {

/// Collects a message; cheap to make, never throws by itself.
class MessageStream {
 public:
  MessageStream() = default;
  explicit MessageStream(const std::string& start) { stream_ << start; }
  template <typename T>
  MessageStream& operator<<(const T& value) {
    stream_ << value;
    return *this;
  }
  MessageStream& operator<<(std::ostream& (*manipulator)(std::ostream&)) {
    stream_ << manipulator;
    return *this;
  }
  std::string str() const { return stream_.str(); }

 private:
  std::ostringstream stream_;
};

/// `Thrower(...) & stream << a << b` throws after the whole message has been collected.
class Thrower {
 public:
  Thrower(const char* file, int line, Error::Kind kind = Error::kGeneric)
      : file_(file), line_(line), kind_(kind) {}
  [[noreturn]] void operator&(const MessageStream& stream) const {
    throw Error(file_, line_, stream.str(), kind_);
  }

 private:
  const char* file_;
  int line_;
  Error::Kind kind_;
};

/// Writes one line when it goes out of scope.
class LogMessage {
 public:
  LogMessage(const char* file, int line, LogSeverity severity)
      : file_(file), line_(line), severity_(severity) {}
  ~LogMessage();
  LogMessage(const LogMessage&) = delete;
  LogMessage& operator=(const LogMessage&) = delete;
  std::ostream& stream() { return stream_; }

 private:
  const char* file_;
  int line_;
  LogSeverity severity_;
  std::ostringstream stream_;
};

struct Voidify {
  void operator&(std::ostream&) const {}
};

/// The outcome of CHECK_EQ and its kin: converts to true when the check FAILED.
class CheckResult {
 public:
  CheckResult() = default;
  explicit CheckResult(std::unique_ptr<MessageStream> message)
      : message_(std::move(message)) {}
  explicit operator bool() const { return message_ != nullptr; }
  MessageStream& stream() { return *message_; }

 private:
  std::unique_ptr<MessageStream> message_;
};

template <typename A, typename B>
CheckResult CheckFailed(const A& a, const B& b, const char* text) {
  auto message = std::make_unique<MessageStream>();
  *message << "Check failed: " << text << " (" << a << " vs. " << b << ") ";
  return CheckResult(std::move(message));
}

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"
#define CAFFE_DEFINE_CHECK_OP(name, op)                               \
  template <typename A, typename B>                                   \
  inline CheckResult name(const A& a, const B& b, const char* text) { \
    if (a op b) return CheckResult();                                 \
    return CheckFailed(a, b, text);                                   \
  }
CAFFE_DEFINE_CHECK_OP(CheckEQ, ==)
CAFFE_DEFINE_CHECK_OP(CheckNE, !=)
CAFFE_DEFINE_CHECK_OP(CheckLT, <)
CAFFE_DEFINE_CHECK_OP(CheckLE, <=)
CAFFE_DEFINE_CHECK_OP(CheckGT, >)
CAFFE_DEFINE_CHECK_OP(CheckGE, >=)
#undef CAFFE_DEFINE_CHECK_OP
#pragma GCC diagnostic pop

template <typename T>
T&& CheckNotNull(const char* file, int line, const char* text, T&& pointer) {
  if (pointer == nullptr)
    throw Error(file, line, std::string(text) + " must be non NULL");
  return std::forward<T>(pointer);
}

}  // namespace internal
}  // namespace caffe

// The real glog may have been included first by somebody else's file: ours win inside
// Caffe.
#undef LOG
#undef LOG_IF
#undef LOG_EVERY_N
#undef LOG_FIRST_N
#undef DLOG
#undef CHECK
#undef CHECK_EQ
#undef CHECK_NE
#undef CHECK_LT
#undef CHECK_LE
#undef CHECK_GT
#undef CHECK_GE
#undef CHECK_NEAR
#undef CHECK_DOUBLE_EQ
#undef CHECK_STREQ
#undef CHECK_NOTNULL
#undef DCHECK
#undef DCHECK_EQ
#undef DCHECK_NE
#undef DCHECK_LT
#undef DCHECK_LE
#undef DCHECK_GT
#undef DCHECK_GE

#define CAFFE_LOG_STREAM(severity) \
  ::caffe::internal::LogMessage(__FILE__, __LINE__, ::caffe::LOG_##severity).stream()
#define CAFFE_LOG_INFO                     \
  !(::caffe::MinLogLevel() <= 0) ? (void)0 \
                                 : ::caffe::internal::Voidify() & CAFFE_LOG_STREAM(INFO)
#define CAFFE_LOG_WARNING        \
  !(::caffe::MinLogLevel() <= 1) \
      ? (void)0                  \
      : ::caffe::internal::Voidify() & CAFFE_LOG_STREAM(WARNING)
#define CAFFE_LOG_ERROR          \
  !(::caffe::MinLogLevel() <= 2) \
      ? (void)0                  \
      : ::caffe::internal::Voidify() & CAFFE_LOG_STREAM(ERROR)
#define CAFFE_LOG_FATAL \
  ::caffe::internal::Thrower(__FILE__, __LINE__) & ::caffe::internal::MessageStream()

#define LOG(severity) CAFFE_LOG_##severity
#define LOG_IF(severity, condition) \
  !(condition) ? (void)0 : ::caffe::internal::Voidify() & CAFFE_LOG_STREAM(severity)
#define LOG_EVERY_N(severity, n) \
  !([]() {                       \
    static int count = 0;        \
    return count++ % (n) == 0;   \
  }())                           \
      ? (void)0                  \
      : ::caffe::internal::Voidify() & CAFFE_LOG_STREAM(severity)
#define LOG_FIRST_N(severity, n) \
  !([]() {                       \
    static int count = 0;        \
    return count++ < (n);        \
  }())                           \
      ? (void)0                  \
      : ::caffe::internal::Voidify() & CAFFE_LOG_STREAM(severity)

/// Throws an Error of the given kind: CAFFE_THROW(kFileNotFound) << path << ": no such
/// file";
#define CAFFE_THROW(kind)                                                \
  ::caffe::internal::Thrower(__FILE__, __LINE__, ::caffe::Error::kind) & \
      ::caffe::internal::MessageStream()

#define CHECK(condition)                                         \
  (condition) ? (void)0                                          \
              : ::caffe::internal::Thrower(__FILE__, __LINE__) & \
                    ::caffe::internal::MessageStream("Check failed: " #condition " ")
/// A check whose failure is the caller's bad value (Python sees a ValueError as well).
#define CHECK_VALUE(condition)                                                           \
  (condition) ? (void)0                                                                  \
              : ::caffe::internal::Thrower(__FILE__, __LINE__, ::caffe::Error::kValue) & \
                    ::caffe::internal::MessageStream()
#define CAFFE_CHECK_OP(name, op, a, b)                             \
  while (::caffe::internal::CheckResult caffe_check =              \
             ::caffe::internal::name((a), (b), #a " " #op " " #b)) \
  ::caffe::internal::Thrower(__FILE__, __LINE__) & caffe_check.stream()
#define CHECK_EQ(a, b) CAFFE_CHECK_OP(CheckEQ, ==, a, b)
#define CHECK_NE(a, b) CAFFE_CHECK_OP(CheckNE, !=, a, b)
#define CHECK_LT(a, b) CAFFE_CHECK_OP(CheckLT, <, a, b)
#define CHECK_LE(a, b) CAFFE_CHECK_OP(CheckLE, <=, a, b)
#define CHECK_GT(a, b) CAFFE_CHECK_OP(CheckGT, >, a, b)
#define CHECK_GE(a, b) CAFFE_CHECK_OP(CheckGE, >=, a, b)
#define CHECK_NEAR(a, b, margin) CHECK(((a) <= (b) + (margin)) && ((a) >= (b) - (margin)))
#define CHECK_DOUBLE_EQ(a, b) CHECK_NEAR(a, b, 0.000000000000001L)
#define CHECK_STREQ(a, b) CHECK_EQ(std::string(a), std::string(b))
#define CHECK_NOTNULL(pointer) \
  ::caffe::internal::CheckNotNull(__FILE__, __LINE__, "'" #pointer "'", (pointer))

#ifdef NDEBUG
#define DLOG(severity) LOG_IF(severity, false)
#define DCHECK(condition) \
  while (false) CHECK(condition)
#define DCHECK_EQ(a, b) \
  while (false) CHECK_EQ(a, b)
#define DCHECK_NE(a, b) \
  while (false) CHECK_NE(a, b)
#define DCHECK_LT(a, b) \
  while (false) CHECK_LT(a, b)
#define DCHECK_LE(a, b) \
  while (false) CHECK_LE(a, b)
#define DCHECK_GT(a, b) \
  while (false) CHECK_GT(a, b)
#define DCHECK_GE(a, b) \
  while (false) CHECK_GE(a, b)
#else
#define DLOG(severity) LOG(severity)
#define DCHECK(condition) CHECK(condition)
#define DCHECK_EQ(a, b) CHECK_EQ(a, b)
#define DCHECK_NE(a, b) CHECK_NE(a, b)
#define DCHECK_LT(a, b) CHECK_LT(a, b)
#define DCHECK_LE(a, b) CHECK_LE(a, b)
#define DCHECK_GT(a, b) CHECK_GT(a, b)
#define DCHECK_GE(a, b) CHECK_GE(a, b)
#endif

#endif  // CAFFE_UTIL_LOGGING_HPP_
