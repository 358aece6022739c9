// Reading and writing messages: text and binary files, temporary names, raw files as
// Datum.
#ifndef CAFFE_UTIL_IO_HPP_
#define CAFFE_UTIL_IO_HPP_

#include <google/protobuf/message.h>

#include <string>

#include "caffe/common.hpp"
#include "caffe/proto/caffe.pb.h"
#include "caffe/util/atomic_file.hpp"

namespace caffe {

using ::google::protobuf::Message;

/// Makes a new directory caffe_test.xxxx-xxxx in the system's temporary folder.
void MakeTempDir(string* temp_dirname);
/// A new file name in one such directory per process.
void MakeTempFilename(string* temp_filename);

/// Reads a file of any kind (regular, pipe) as it is.
/// Errors: missing (kFileNotFound), a directory, unreadable.
string ReadFile(const string& filename);

/// Parses a prototxt file. False and one error line in the log where the text is wrong.
/// Errors: the file is missing or a directory.
bool ReadProtoFromTextFile(const string& filename, Message* proto);
/// As above, but wrong text throws: `net.prototxt:12:3: unknown field "..." in ...`.
void ReadProtoFromTextFileOrDie(const string& filename, Message* proto);
void WriteProtoToTextFile(const Message& proto, const string& filename);

/// Parses a binary file. Clashing field numbers of a NetParameter are resolved by layer
/// type (wire_format.hpp), raw blobs (half floats) become floats, unknown fields are
/// kept. False and one error line in the log where the content is wrong. Errors: the file
/// is missing, a directory, or longer than a message can be (2^31 - 1).
bool ReadProtoFromBinaryFile(const string& filename, Message* proto);
/// As above, but wrong content throws; the error says whether the file is empty, cut off,
/// text, HDF5, or not of this kind at all.
void ReadProtoFromBinaryFileOrDie(const string& filename, Message* proto);
/// Writes atomically. A NetParameter gets the field numbers that other Caffes know (and
/// so loses what only we have).
void WriteProtoToBinaryFile(const Message& proto, const string& filename);

/// Puts the file's bytes into datum->data, encoded = true. False if there is no such
/// file.
bool ReadFileToDatum(const string& filename, int label, Datum* datum);
inline bool ReadFileToDatum(const string& filename, Datum* datum) {
  return ReadFileToDatum(filename, -1, datum);
}

}  // namespace caffe

#endif  // CAFFE_UTIL_IO_HPP_
