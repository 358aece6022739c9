// Flags of the programs in gflags' spelling: -f v, --f v, -f=v, -f, -nof, and `--` ends
// them.
#ifndef CAFFE_TOOLS_COMMAND_LINE_HPP_
#define CAFFE_TOOLS_COMMAND_LINE_HPP_

#include <map>
#include <string>
#include <vector>

#include "caffe/util/logging.hpp"

namespace caffe {

/// Known flags with their start values; a flag whose start value is "true" or "false" is
/// a switch. An unknown flag is an error.
class CommandLine {
 public:
  struct Flag {
    std::string value;
    std::string help;
    bool given = false;
  };

  explicit CommandLine(std::map<std::string, Flag> flags) : flags_(std::move(flags)) {}

  /// Returns the positional words.
  std::vector<std::string> Parse(int argc, char** argv) {
    std::vector<std::string> words;
    bool flags_end = false;
    for (int i = 1; i < argc; ++i) {
      std::string word = argv[i];
      if (flags_end || word.size() < 2 || word[0] != '-') {
        words.push_back(word);
      } else if (word == "--") {
        flags_end = true;
      } else {
        word.erase(0, word[1] == '-' ? 2 : 1);
        i += Take(word, i + 1 < argc ? argv[i + 1] : nullptr);
      }
    }
    return words;
  }

  const std::string& text(const std::string& name) const { return flags_.at(name).value; }
  bool given(const std::string& name) const { return flags_.at(name).given; }
  bool is_on(const std::string& name) const { return text(name) == "true"; }
  int number(const std::string& name) const {
    const std::string& value = text(name);
    size_t used = 0;
    int result = 0;
    try {
      result = std::stoi(value, &used);
    } catch (const std::exception&) {
      used = 0;
    }
    CHECK(used == value.size() && used > 0)
        << "flag -" << name << ": '" << value << "' is not a number";
    return result;
  }
  std::vector<std::string> list(const std::string& name) const {
    std::vector<std::string> items;
    std::string item;
    for (const char c : text(name) + ",") {
      if (c != ',') {
        item += c;
      } else if (!item.empty()) {
        items.push_back(item);
        item.clear();
      }
    }
    return items;
  }
  std::string Usage() const {
    std::string usage;
    for (const auto& flag : flags_) {
      usage += "  -" + flag.first + "  " + flag.second.help +
               (flag.second.value.empty() ? "" : " (default " + flag.second.value + ")") +
               "\n";
    }
    return usage;
  }

 private:
  /// Sets the flag of one word; the number of further words it used.
  int Take(const std::string& word, const char* next) {
    const size_t equals = word.find('=');
    const std::string name = word.substr(0, equals);
    const bool negated = flags_.count(name) == 0 && name.compare(0, 2, "no") == 0 &&
                         flags_.count(name.substr(2)) > 0;
    const auto found = flags_.find(negated ? name.substr(2) : name);
    CHECK(found != flags_.end()) << "unknown command line flag '" << name << "'";
    Flag& flag = found->second;
    const bool is_switch = flag.value == "true" || flag.value == "false";
    flag.given = true;
    if (equals != std::string::npos) {
      flag.value = word.substr(equals + 1);
    } else if (is_switch) {
      flag.value = negated ? "false" : "true";
    } else {
      CHECK(next != nullptr) << "flag '-" << name << "' is missing its argument";
      flag.value = next;
      return 1;
    }
    return 0;
  }

  std::map<std::string, Flag> flags_;
};

}  // namespace caffe

#endif  // CAFFE_TOOLS_COMMAND_LINE_HPP_
