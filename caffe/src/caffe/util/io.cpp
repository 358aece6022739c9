// Files to messages and back.
#include "caffe/util/io.hpp"

#include <google/protobuf/text_format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <mutex>
#include <vector>

#include "caffe/util/caffemodel_writer.hpp"
#include "caffe/util/mapped_file.hpp"
#include "caffe/util/raw_blob.hpp"
#include "caffe/util/text_format.hpp"
#include "caffe/util/wire_format.hpp"

namespace caffe {

namespace {

/// False, with the error in the log, where `read` finds wrong content; other errors pass.
template <typename Read>
bool LogWrongContent(const Read& read) {
  try {
    read();
    return true;
  } catch (const Error& error) {
    if (error.kind() != Error::kValue) throw;
    LOG(ERROR) << error.message();
    return false;
  }
}

void RefuseFolder(const string& filename) {
  struct stat status {};
  if (::stat(filename.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) {
    throw Error(filename + ": is a folder, not a file");
  }
}

void ConvertRawBlobsOf(Message* proto) {
  if (auto* blob = dynamic_cast<BlobProto*>(proto)) ConvertRawBlob(blob);
  if (auto* vector = dynamic_cast<BlobProtoVector*>(proto)) {
    for (BlobProto& blob : *vector->mutable_blobs()) ConvertRawBlob(&blob);
  }
  if (auto* state = dynamic_cast<SolverState*>(proto)) {
    for (BlobProto& blob : *state->mutable_history()) ConvertRawBlob(&blob);
  }
}

bool HasKnownField(const Message& proto) {
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  proto.GetReflection()->ListFields(proto, &fields);
  return !fields.empty();
}

/// What protobuf's parser leaves unsaid: where the bytes stop making sense.
void ParseMessage(std::string_view bytes, const string& filename, Message* proto) {
  CheckIsBinaryMessage(bytes, filename);
  const string hint = TextHint(bytes);
  const string kind = proto->GetDescriptor()->name();
  try {
    WireWalker walker(bytes, filename);
    WireField field;
    while (walker.Next(&field)) {
    }
  } catch (const Error& error) {
    throw Error(error.message() + hint, Error::kValue);
  }
  if (!proto->ParseFromArray(bytes.data(), static_cast<int>(bytes.size())) ||
      !HasKnownField(*proto)) {
    throw Error(filename + ": is no " + kind + ", or corrupt" + hint, Error::kValue);
  }
  const auto* state = dynamic_cast<const SolverState*>(proto);
  if (state != nullptr && !state->has_iter()) {
    throw Error(
        filename +
            ": is no solver state (it has no iteration number); a file of weights "
            "is given with --weights, a .solverstate with --snapshot",
        Error::kValue);
  }
  ConvertRawBlobsOf(proto);
}

string MakeUniqueFolder() {
  const char* base = std::getenv("TMPDIR");
  string pattern = base != nullptr && *base != '\0' ? base : "/tmp";
  pattern += "/caffe_test.XXXXXX";
  std::vector<char> name(pattern.begin(), pattern.end());
  name.push_back('\0');
  if (::mkdtemp(name.data()) == nullptr) {
    throw Error(pattern + ": cannot be made: " + std::strerror(errno));
  }
  return name.data();
}

}  // namespace

void MakeTempDir(string* temp_dirname) { *temp_dirname = MakeUniqueFolder(); }

void MakeTempFilename(string* temp_filename) {
  static std::mutex mutex;
  static string folder;
  static int next = 0;
  const std::lock_guard<std::mutex> lock(mutex);
  if (folder.empty()) folder = MakeUniqueFolder();
  char number[16];
  std::snprintf(number, sizeof(number), "%09d", next++);
  *temp_filename = folder + "/" + number;
}

string ReadFile(const string& filename) { return string(MappedFile(filename).bytes()); }

void ReadProtoFromTextFileOrDie(const string& filename, Message* proto) {
  ParseTextFormat(ReadFile(filename), filename, proto);
}

bool ReadProtoFromTextFile(const string& filename, Message* proto) {
  RefuseFolder(filename);
  return LogWrongContent([&] { ReadProtoFromTextFileOrDie(filename, proto); });
}

void WriteProtoToTextFile(const Message& proto, const string& filename) {
  string text;
  if (!google::protobuf::TextFormat::PrintToString(proto, &text)) {
    throw Error(filename + ": the " + proto.GetDescriptor()->name() +
                " cannot be printed");
  }
  WriteFileAtomically(filename, text);
}

void ReadProtoFromBinaryFileOrDie(const string& filename, Message* proto) {
  const MappedFile file(filename);
  const size_t size = file.bytes().size();
  if (size > static_cast<size_t>(std::numeric_limits<int>::max())) {
    throw Error(filename + ": the file is " + std::to_string(size) +
                " bytes, the protobuf format ends at 2147483647; use HDF5");
  }
  if (auto* net = dynamic_cast<NetParameter*>(proto)) {
    ParseNet(file.bytes(), filename, net);
  } else {
    ParseMessage(file.bytes(), filename, proto);
  }
}

bool ReadProtoFromBinaryFile(const string& filename, Message* proto) {
  RefuseFolder(filename);
  return LogWrongContent([&] { ReadProtoFromBinaryFileOrDie(filename, proto); });
}

void WriteProtoToBinaryFile(const Message& proto, const string& filename) {
  if (const auto* net = dynamic_cast<const NetParameter*>(&proto)) {
    WriteNetParameter(filename, *net);
    return;
  }
  string bytes;
  if (proto.ByteSizeLong() > static_cast<size_t>(std::numeric_limits<int>::max()) ||
      !proto.SerializeToString(&bytes)) {
    throw Error(filename + ": the " + proto.GetDescriptor()->name() +
                " is larger than a protobuf message can be (2 GiB); use HDF5");
  }
  WriteFileAtomically(filename, bytes);
}

bool ReadFileToDatum(const string& filename, int label, Datum* datum) {
  struct stat status {};
  if (::stat(filename.c_str(), &status) != 0) return false;
  datum->set_data(ReadFile(filename));
  datum->set_label(label);
  datum->set_encoded(true);
  return true;
}

}  // namespace caffe
