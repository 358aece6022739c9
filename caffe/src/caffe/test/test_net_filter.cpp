// Which layers belong to a net of a phase, level and stages (facts/engine.md 2.1, 2.9).
#include "net_check.hpp"

namespace caffe {
namespace {

/// The names of the layers that stay, each followed by a blank.
string Filtered(const string& layers, const string& state) {
  NetParameter param, filtered;
  ParseTextFormat(layers + " state { " + state + " }", "test", &param);
  Net<float>::FilterNet(param, &filtered);
  string names;
  for (const auto& layer : filtered.layer()) names += layer.name() + " ";
  return names;
}

bool IsIn(const string& rules, const string& state) {
  return Filtered("layer { name: 'a' " + rules + " }", state) == "a ";
}

TEST(NetFilterTest, LayersWithoutRulesStayInOrder) {
  EXPECT_EQ(Filtered("layer { name: 'b' } layer { name: 'a' } layer { name: 'b' }", ""),
            "b a b ");
}

TEST(NetFilterTest, PhaseIsTestUnlessGiven) {
  EXPECT_TRUE(IsIn("include { phase: TEST }", ""));
  EXPECT_FALSE(IsIn("include { phase: TRAIN }", ""));
  EXPECT_TRUE(IsIn("include { phase: TRAIN }", "phase: TRAIN"));
  EXPECT_FALSE(IsIn("exclude { phase: TRAIN }", "phase: TRAIN"));
  EXPECT_TRUE(IsIn("exclude { phase: TEST }", "phase: TRAIN"));
}

TEST(NetFilterTest, LevelsBoundBothEndsInclusively) {
  const string rule = "include { min_level: 2 max_level: 4 }";
  EXPECT_FALSE(IsIn(rule, "level: 1"));
  EXPECT_TRUE(IsIn(rule, "level: 2"));
  EXPECT_TRUE(IsIn(rule, "level: 4"));
  EXPECT_FALSE(IsIn(rule, "level: 5"));
  EXPECT_FALSE(IsIn("include { min_level: 1 }", ""));  // level is 0
  EXPECT_TRUE(IsIn("include { min_level: 0 }", ""));
  EXPECT_FALSE(IsIn("include { max_level: -1 }", ""));
}

TEST(NetFilterTest, AllStagesAreNeededAndNoneOfTheOthers) {
  const string rule = "include { stage: 'a' stage: 'b' not_stage: 'c' not_stage: 'd' }";
  EXPECT_TRUE(IsIn(rule, "stage: 'b' stage: 'a' stage: 'x'"));
  EXPECT_FALSE(IsIn(rule, "stage: 'a'"));
  EXPECT_FALSE(IsIn(rule, "stage: 'a' stage: 'b' stage: 'd'"));
  EXPECT_FALSE(IsIn(rule, ""));
  EXPECT_TRUE(IsIn("include { not_stage: 'c' }", ""));
}

TEST(NetFilterTest, ARuleNeedsAllOfItsFields) {
  const string rule = "include { phase: TRAIN min_level: 1 stage: 's' }";
  EXPECT_TRUE(IsIn(rule, "phase: TRAIN level: 1 stage: 's'"));
  EXPECT_FALSE(IsIn(rule, "phase: TEST level: 1 stage: 's'"));
  EXPECT_FALSE(IsIn(rule, "phase: TRAIN level: 0 stage: 's'"));
  EXPECT_FALSE(IsIn(rule, "phase: TRAIN level: 1"));
}

TEST(NetFilterTest, AnyIncludeRuleLetsALayerInAndAnyExcludeRuleKeepsItOut) {
  const string in = "include { stage: 'a' } include { stage: 'b' }";
  EXPECT_TRUE(IsIn(in, "stage: 'b'"));
  EXPECT_FALSE(IsIn(in, "stage: 'c'"));
  const string out = "exclude { stage: 'a' } exclude { stage: 'b' }";
  EXPECT_FALSE(IsIn(out, "stage: 'b'"));
  EXPECT_TRUE(IsIn(out, "stage: 'c'"));
}

TEST(NetFilterTest, AnEmptyRuleIsAlwaysMet) {
  EXPECT_TRUE(IsIn("include {}", "stage: 'x'"));
  EXPECT_FALSE(IsIn("exclude {}", ""));
}

TEST(NetFilterTest, BothKindsOfRulesAreAnErrorThatNamesTheLayer) {
  const string error = ErrorOf([] { IsIn("include {} exclude {}", ""); });
  EXPECT_TRUE(has_words(error, {"'a'", "include", "exclude"}));
}

TEST(NetFilterTest, TheRestOfTheDefinitionIsKept) {
  NetParameter param, filtered;
  ParseTextFormat("name: 'n' force_backward: true layer { include { phase: TRAIN } }",
                  "test", &param);
  Net<float>::FilterNet(param, &filtered);
  EXPECT_EQ(filtered.name(), "n");
  EXPECT_TRUE(filtered.force_backward());
  EXPECT_EQ(filtered.layer_size(), 0);
}

TEST(NetStateTest, TwoLayersOfOneNameMayServeTwoPhases) {
  const string text =
      "layer { name: 'd' type: 'Input' top: 'x' include { phase: TRAIN }"
      " input_param { shape { dim: 2 } } }"
      "layer { name: 'd' type: 'Input' top: 'x' include { phase: TEST }"
      " input_param { shape { dim: 3 } } }";
  EXPECT_EQ(make_net<float>(text, TRAIN)->blob_by_name("x")->count(), 2);
  EXPECT_EQ(make_net<float>(text, TEST)->blob_by_name("x")->count(), 3);
}

TEST(NetStateTest, FromAFileStagesAreAddedAndTheLevelIsSet) {
  TemporaryFolder folder;
  const string path = folder.Write(
      "net.prototxt",
      "state { level: 5 stage: 'own' }"
      "layer { name: 'both' type: 'Input' top: 'a' include { stage: 'own' stage: 'given' "
      "} }"
      "layer { name: 'low' type: 'Input' top: 'b' include { max_level: 2 } }"
      "layer { name: 'train' type: 'Input' top: 'c' include { phase: TRAIN } }");
  const vector<string> stages = {"given",
                                 ""};  // the empty stage of a program's splitting
  const Net<float> net(path, TRAIN, 2, &stages);
  EXPECT_EQ(net.layer_names(), (vector<string>{"both", "low", "train"}));
  const Net<float> plain(path, TEST);
  EXPECT_EQ(plain.layer_names(), (vector<string>{"low"}));
}

TEST(NetStateTest, ALayersOwnPhaseWins) {
  const auto net = make_net<float>(
      "layer { name: 'a' type: 'Input' top: 'x' phase: TEST }"
      "layer { name: 'b' type: 'Input' top: 'y' }",
      TRAIN);
  EXPECT_EQ(net->layers()[0]->layer_param().phase(), TEST);
  EXPECT_EQ(net->layers()[1]->layer_param().phase(), TRAIN);
}

}  // namespace
}  // namespace caffe
