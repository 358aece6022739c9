// Reading and writing files: text errors, binary errors, atomic writing.
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>

#include "caffe/util/caffemodel_writer.hpp"
#include "caffe/util/io.hpp"
#include "caffe/util/text_format.hpp"
#include "test_files.hpp"

namespace caffe {
namespace {

NetParameter ParseNetText(const std::string& text) {
  NetParameter net;
  ParseTextFormat(text, "net.prototxt", &net);
  return net;
}

struct WrongText {
  const char* name;
  const char* text;
  std::vector<std::string> words;
};

void PrintTo(const WrongText& wrong, std::ostream* out) { *out << wrong.name; }

class WrongTextTest : public ::testing::TestWithParam<WrongText> {};

TEST_P(WrongTextTest, ErrorNamesPlaceAndRemedy) {
  const std::string error = ErrorOf([&] { ParseNetText(GetParam().text); });
  for (const std::string& word : GetParam().words) {
    EXPECT_NE(error.find(word), std::string::npos)
        << "\"" << error << "\" lacks " << word;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, WrongTextTest,
    ::testing::Values(
        WrongText{
            "MisspeltMessageField",
            "layer {\n  name: \"a\"\n  convolution_parm { num_output: 1 }\n}\n",
            {"net.prototxt:3:3: ", "unknown field \"convolution_parm\" in LayerParameter",
             "did you mean \"convolution_param\"?"}},
        WrongText{"MisspeltScalarField",
                  "layer {\n\tconvolution_param { kernal_size: 3 }\n}",
                  {"net.prototxt:2:22: ", "\"kernal_size\" in ConvolutionParameter",
                   "did you mean \"kernel_size\"?"}},
        WrongText{"NameOnAnotherLineThanItsValue",
                  "layer {\n  convolution_parm\n\n  {\n }\n}",
                  {"net.prototxt:2:3: ", "convolution_param"}},
        WrongText{"FieldOutsideItsMessage",
                  "layer { num_output: 3 }",
                  {"net.prototxt:1:9: ", "\"num_output\" in LayerParameter",
                   "belongs inside convolution_param"}},
        WrongText{"FieldOfAnotherMessage",
                  "layer { pooling_param { num_output: 3 } }",
                  {"it is a field of", "ConvolutionParameter"}},
        WrongText{"FieldOfAForeignFork",
                  "layer { upsample_param { scale: 2 } }",
                  {"unknown field \"upsample_param\"", "fork"}},
        WrongText{"EnumValue",
                  "layer { pooling_param { pool: AVG } }",
                  {"net.prototxt:1:31: ", "unknown value \"AVG\" for \"pool\"", "AVE"}},
        WrongText{"EnumValueInOtherCase",
                  "layer { pooling_param { pool: max } }",
                  {"did you mean MAX?"}},
        WrongText{"SingularFieldTwice",
                  "name: \"a\"\nname: \"b\"",
                  {"net.prototxt:2:", "\"name\" is given twice"}},
        WrongText{
            "NonBreakingSpace", "name:\xC2\xA0\"a\"", {"1:6: ", "non-breaking space"}},
        WrongText{"MissingBrace", "layer {\n name: \"a\"\n", {"net.prototxt:3:1: "}},
        WrongText{"FractionForInteger",
                  "layer { convolution_param { num_output: 1.5 } }",
                  {"net.prototxt:1:", "integer"}},
        WrongText{"NumberBeyondRange",
                  "layer { convolution_param { num_output: 4294967296 } }",
                  {"net.prototxt:1:", "out of range"}}));

TEST(TextFormatTest, ByteOrderMarkIsSkipped) {
  EXPECT_EQ(ParseNetText("\xEF\xBB\xBFname: \"a\"").name(), "a");
}

TEST(TextFormatTest, PositionsBehindAByteOrderMarkAreRight) {
  const std::string error = ErrorOf([] { ParseNetText("\xEF\xBB\xBFnam: \"a\""); });
  EXPECT_NE(error.find("net.prototxt:1:1: "), std::string::npos) << error;
}

TEST(TextFormatTest, EveryFormOfTheTextLanguageIsTaken) {
  const NetParameter net = ParseNetText(
      "# comment\r\nname: 'a' \"b\"; layer: < type: \"Pooling\" pooling_param { pool: 1 "
      "} >,\n"
      "input_dim: [0x10, 010, 3] force_backward: t\n"
      "layer { type: 'Eltwise' eltwise_param { coeff: [1., .5, 1e-1, 2f] } }");
  EXPECT_EQ(net.name(), "ab");
  EXPECT_EQ(net.layer(0).pooling_param().pool(), PoolingParameter::AVE);
  ASSERT_EQ(net.input_dim_size(), 3);
  EXPECT_EQ(net.input_dim(0), 16);
  EXPECT_EQ(net.input_dim(1), 8);
  EXPECT_TRUE(net.force_backward());
  EXPECT_EQ(net.layer(1).eltwise_param().coeff(3), 2.f);
}

TEST(TextFormatTest, NestingBeyondTheLimitIsAnErrorAndNoCrash) {
  std::string text;
  for (int i = 0; i < 100000; ++i) text += "layer {";
  EXPECT_NE(ErrorOf([&] { ParseNetText(text); }), "");
}

TEST(EditDistanceTest, CountsEditsAsDefined) {
  EXPECT_EQ(EditDistance("kernel", "kernel"), 0);
  EXPECT_EQ(EditDistance("kernal", "kernel"), 1);
  EXPECT_EQ(EditDistance("kenrel", "kernel"), 1);  // neighbours swapped
  EXPECT_EQ(EditDistance("pad", ""), 3);
  EXPECT_EQ(EditDistance("Pad", "pad"), 0.5);
}

TEST(NearestNameTest, FarNamesAreNoSuggestion) {
  EXPECT_EQ(NearestName("stride", {"pad", "kernel_size"}), "");
  EXPECT_EQ(NearestName("Stride", {"pad", "stride"}), "stride");
}

TEST(IoTest, MissingFilesAreFileNotFoundInEveryReader) {
  NetParameter net;
  const std::string missing = "no/such/file.prototxt";
  EXPECT_TRUE(
      ThrowsKind([&] { ReadProtoFromTextFile(missing, &net); }, Error::kFileNotFound));
  EXPECT_TRUE(
      ThrowsKind([&] { ReadProtoFromBinaryFile(missing, &net); }, Error::kFileNotFound));
  const std::string error = ErrorOf([&] { ReadProtoFromTextFileOrDie(missing, &net); });
  EXPECT_NE(error.find(missing), std::string::npos) << error;
}

TEST(IoTest, FoldersAreRefused) {
  const TemporaryFolder folder;
  NetParameter net;
  for (const auto& read : {ReadProtoFromTextFileOrDie, ReadProtoFromBinaryFileOrDie}) {
    const std::string error = ErrorOf([&] { read(folder.File(""), &net); });
    EXPECT_NE(error.find("folder"), std::string::npos) << error;
  }
  EXPECT_NE(ErrorOf([&] { ReadProtoFromBinaryFile(folder.File(""), &net); }), "");
}

TEST(IoTest, ReadersThatReturnBoolSayFalseForWrongContent) {
  const TemporaryFolder folder;
  NetParameter net;
  EXPECT_FALSE(ReadProtoFromTextFile(folder.Write("a", "nam: 1"), &net));
  EXPECT_FALSE(ReadProtoFromBinaryFile(folder.Write("b", "\x0a\x05xy"), &net));
  EXPECT_TRUE(ReadProtoFromTextFile(folder.Write("c", "name: '1'"), &net));
}

struct WrongBytes {
  const char* name;
  std::string bytes;
  std::vector<std::string> words;
};

void PrintTo(const WrongBytes& wrong, std::ostream* out) { *out << wrong.name; }

class WrongBytesTest : public ::testing::TestWithParam<WrongBytes> {};

TEST_P(WrongBytesTest, ErrorSaysWhatTheFileIs) {
  const TemporaryFolder folder;
  const std::string path = folder.Write("x.binaryproto", GetParam().bytes);
  BlobProto blob;
  const std::string error = ErrorOf([&] { ReadProtoFromBinaryFileOrDie(path, &blob); });
  EXPECT_NE(error.find("x.binaryproto"), std::string::npos) << error;
  for (const std::string& word : GetParam().words) {
    EXPECT_NE(error.find(word), std::string::npos)
        << "\"" << error << "\" lacks " << word;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, WrongBytesTest,
    ::testing::Values(
        WrongBytes{"Empty", "", {"is empty"}},
        WrongBytes{"Hdf5", std::string("\x89HDF\r\n\x1a\n\0\0", 10), {"HDF5"}},
        WrongBytes{"Text", "name: \"net\"\n", {"looks like text"}},
        WrongBytes{"CutOff",
                   std::string("\x2a\x10\0\0\0\0", 6),
                   {"field 5 says 16 bytes, 4 are left", "byte 0"}},
        // A length that would need an exabyte: refused, not allocated.
        WrongBytes{"HugeLength",
                   std::string("\x2a\xff\xff\xff\xff\xff\xff\xff\x0f\0", 10),
                   {"cut off"}},
        WrongBytes{"EndlessVarint", std::string(20, '\xff'), {"corrupt"}},
        WrongBytes{
            "UnknownFieldsOnly", std::string("\xa0\x06\x01", 3), {"is no BlobProto"}}));

TEST(IoTest, HalfFloatsOfABinaryprotoBecomeFloats) {
  const TemporaryFolder folder;
  BlobProto raw;
  raw.mutable_shape()->add_dim(3);
  raw.set_raw_data_type(BlobProto::FLOAT16);
  raw.set_raw_data(std::string("\x00\x3c\x00\xc0\x01\x00", 6));  // 1, -2, 2^-24
  BlobProto blob;
  ReadProtoFromBinaryFileOrDie(folder.Write("m", raw.SerializeAsString()), &blob);
  ASSERT_EQ(blob.data_size(), 3);
  EXPECT_EQ(blob.data(0), 1.f);
  EXPECT_EQ(blob.data(1), -2.f);
  EXPECT_EQ(blob.data(2), std::ldexp(1.f, -24));
  EXPECT_FALSE(blob.has_raw_data());
}

TEST(IoTest, WeightsGivenAsASolverStateAreRefused) {
  const TemporaryFolder folder;
  NetParameter net;
  net.set_name("net");
  net.add_layers()->set_name("conv");  // field 2 is a string in a SolverState
  SolverState state;
  const std::string path = folder.Write("x.caffemodel", net.SerializeAsString());
  const std::string error = ErrorOf([&] { ReadProtoFromBinaryFileOrDie(path, &state); });
  EXPECT_NE(error.find("--weights"), std::string::npos) << error;
}

TEST(IoTest, PublishedSolverStatesAreRead) {
  CAFFE_NEED_SHARED(path, "models/legacy/cifar10_quick_v1/weights.solverstate");
  SolverState state;
  ReadProtoFromBinaryFileOrDie(path, &state);
  EXPECT_EQ(state.iter(), 5000);
  EXPECT_EQ(state.history_size(), 10);
}

TEST(IoTest, TextRoundTripIsExact) {
  const TemporaryFolder folder;
  SolverParameter solver, again;
  solver.set_base_lr(0.1f);
  solver.set_delta(1.17549435e-38f);
  solver.set_net("a \"b\"\n");
  WriteProtoToTextFile(solver, folder.File("s"));
  ReadProtoFromTextFileOrDie(folder.File("s"), &again);
  EXPECT_EQ(solver.SerializeAsString(), again.SerializeAsString());
}

TEST(IoTest, RawFileBecomesAnEncodedDatum) {
  const TemporaryFolder folder;
  Datum datum;
  EXPECT_FALSE(ReadFileToDatum(folder.File("none"), &datum));
  EXPECT_TRUE(ReadFileToDatum(folder.Write("f", std::string("a\0b", 3)), 7, &datum));
  EXPECT_EQ(datum.data(), std::string("a\0b", 3));
  EXPECT_EQ(datum.label(), 7);
  EXPECT_TRUE(datum.encoded());
  EXPECT_TRUE(ReadFileToDatum(folder.File("f"), &datum));
  EXPECT_EQ(datum.label(), -1);
}

TEST(IoTest, TemporaryNamesDiffer) {
  std::string first, second;
  MakeTempFilename(&first);
  MakeTempFilename(&second);
  EXPECT_NE(first, second);
}

TEST(AtomicFileTest, WithoutCommitTheOldContentStays) {
  const TemporaryFolder folder;
  const std::string path = folder.Write("x", "old");
  {
    AtomicFile file(path);
    file.Write("new content");
  }
  EXPECT_EQ(ReadFile(path), "old");
  EXPECT_EQ(folder.FileCount(), 1u);
}

TEST(AtomicFileTest, CommitReplacesTheContentAndKeepsTheMode) {
  const TemporaryFolder folder;
  const std::string path = folder.Write("x", "old content");
  ASSERT_EQ(::chmod(path.c_str(), 0640), 0);
  WriteFileAtomically(path, "new");
  EXPECT_EQ(ReadFile(path), "new");
  struct stat status {};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0640u);
  EXPECT_EQ(folder.FileCount(), 1u);
}

TEST(AtomicFileTest, ACallbackThatThrowsLeavesNothingBehind) {
  const TemporaryFolder folder;
  const std::string path = folder.Write("x", "old");
  EXPECT_NE(ErrorOf([&] {
              WriteFileAtomically(path, [](const std::string& temporary) {
                std::ofstream(temporary) << "half";
                throw Error("stopped");
              });
            }),
            "");
  EXPECT_EQ(ReadFile(path), "old");
  EXPECT_EQ(folder.FileCount(), 1u);
}

TEST(AtomicFileTest, SymbolicLinksKeepPointing) {
  const TemporaryFolder folder;
  const std::string target = folder.Write("target", "old");
  const std::string link = folder.File("link");
  std::filesystem::create_symlink("target", link);
  WriteFileAtomically(link, "new");
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(ReadFile(target), "new");
}

TEST(AtomicFileTest, AFullDiskIsAnErrorAndTheOldFileStays) {
  // A limit on the size of files stands for the end of the disk.
  const TemporaryFolder folder;
  const std::string path = folder.Write("x", "old");
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const struct rlimit limit = {1000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const std::string error =
      ErrorOf([&] { WriteFileAtomically(path, std::string(5000, 'x')); });
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(error.find("cannot be written"), std::string::npos) << error;
  EXPECT_NE(error.find("unchanged"), std::string::npos) << error;
  EXPECT_EQ(ReadFile(path), "old");
  EXPECT_EQ(folder.FileCount(), 1u);
}

TEST(AtomicFileTest, AMissingFolderIsNamed) {
  const TemporaryFolder folder;
  const std::string path = folder.File("none/x");
  EXPECT_NE(ErrorOf([&] { WriteFileAtomically(path, "a"); }).find(path),
            std::string::npos);
}

TEST(AtomicFileTest, DevicesAreWrittenDirectly) {
  WriteFileAtomically("/dev/null", "abc");
}

}  // namespace
}  // namespace caffe
