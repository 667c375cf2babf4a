#include "tests/harness/case_file.h"

#include <algorithm>
#include <sstream>
#include <string_view>

#include "tests/harness/child_process.h"
#include "tests/harness/config_slots.h"
#include "tests/harness/escape.h"

namespace weir::test {
namespace {

constexpr std::string_view kNotSplit = " (not split)";

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> split_words(const std::string& text) {
  std::vector<std::string> words;
  std::istringstream in(text);
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

size_t indentation(const std::string& line) {
  const size_t at = line.find_first_not_of(' ');
  return at == std::string::npos ? 0 : at;
}

bool is_blank(const std::string& line) {
  return line.find_first_not_of(" \t") == std::string::npos;
}

bool starts_with(const std::string& text, std::string_view with) {
  return text.compare(0, with.size(), with) == 0;
}

// Reads a case file from top to bottom.
class Parser {
 public:
  Parser(CaseFile& file, const std::string& text, std::string folder)
      : file_(file), lines_(split_lines(text)), folder_(std::move(folder)) {}

  void run() {
    while (at_ < lines_.size()) {
      const std::string& line = lines_[at_++];
      if (is_blank(line) || line[0] == '#') continue;
      if (line[0] == ' ' || line[0] == '\t') {
        fail("an indented line that belongs to nothing");
      } else {
        read_entry(line);
      }
    }
    if (!config_name_.empty()) skeleton_ = read_skeleton();
    file_.config = fill_slots(skeleton_, slots_);
    if (file_.config.empty()) fail("no config: write `config: NAME` or a `config` block");
  }

 private:
  void fail(const std::string& what) {
    file_.errors.push_back(file_.path + ':' + std::to_string(at_) + ": " + what);
  }

  // A `case:` line, a step, or one of the lines before the first case.
  void read_entry(const std::string& line) {
    const int number = static_cast<int>(at_);
    if (starts_with(line, "case: ")) {
      start_case(line.substr(6), number);
    } else if (!file_.cases.empty()) {
      file_.cases.back().steps.push_back({number, line, split_words(line), read_block()});
    } else if (starts_with(line, "config: ")) {
      config_name_ = line.substr(8);
    } else if (line == "config") {
      for (const std::string& inner : read_block()) skeleton_ += inner + '\n';
    } else if (starts_with(line, "with ")) {
      slots_[line.substr(5)] = read_block();
    } else if (starts_with(line, "arguments: ")) {
      file_.arguments = split_words(line.substr(11));
    } else {
      fail("\"" + line + "\": before the first case, write config, with or arguments");
    }
  }

  void start_case(std::string name, int line) {
    const bool not_split =
        name.size() > kNotSplit.size() &&
        name.compare(name.size() - kNotSplit.size(), kNotSplit.size(), kNotSplit) == 0;
    if (not_split) name.resize(name.size() - kNotSplit.size());
    file_.cases.push_back({name, line, !not_split, {}});
  }

  // The lines that are indented deeper than the margin, and the blank lines among them.
  std::vector<std::string> read_block() {
    std::vector<std::string> block;
    size_t blanks = 0;
    size_t indent = 0;
    for (; at_ < lines_.size(); ++at_) {
      const std::string& line = lines_[at_];
      if (is_blank(line)) {
        ++blanks;
        continue;
      }
      if (line[0] != ' ') break;
      if (block.empty()) indent = indentation(line);
      if (!block.empty()) block.insert(block.end(), blanks, "");
      blanks = 0;
      block.push_back(line.substr(std::min(indent, indentation(line))));
    }
    return block;
  }

  std::string read_skeleton() {
    const std::string path = folder_ + "/configs/" + config_name_;
    std::string text = read_file(path);
    if (text.empty()) fail("there is no " + path);
    return text;
  }

  CaseFile& file_;
  std::vector<std::string> lines_;
  std::string folder_;
  size_t at_ = 0;
  std::string config_name_;
  std::string skeleton_;
  std::map<std::string, std::vector<std::string>> slots_;
};

}  // namespace

CaseFile parse_case_file(const std::string& path, const std::string& text,
                         const std::string& folder) {
  CaseFile file;
  file.path = path;
  Parser(file, text, folder).run();
  return file;
}

std::string message_bytes(const std::vector<std::string>& block, bool raw, std::string& error) {
  std::string bytes;
  bool in_head = !raw;
  for (const std::string& line : block) {
    if (in_head && line.empty()) {
      bytes += "\r\n";
      in_head = false;
      continue;
    }
    const bool open_end = line.size() > 1 && line.back() == '\\' && line[line.size() - 2] != '\\';
    bytes += unescape(open_end ? std::string_view(line).substr(0, line.size() - 1) : line, error);
    if (in_head && !open_end) bytes += "\r\n";
  }
  if (in_head) bytes += "\r\n";
  return bytes;
}

}  // namespace weir::test
