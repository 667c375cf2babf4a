#pragma once

#include <map>
#include <string>
#include <vector>

namespace weir::test {

// One line of a case and the indented block under it.
struct Step {
  int line = 0;
  std::string text;                // "upstream 2 gets head"
  std::vector<std::string> words;  // {"upstream", "2", "gets", "head"}
  std::vector<std::string> block;  // without the indentation
};

struct Case {
  std::string name;
  int line = 0;
  bool splittable = true;  // also run with one byte a write
  std::vector<Step> steps;
};

// A file of textual cases; tests/cases/README.md describes the syntax.
struct CaseFile {
  std::string path;
  std::string config;  // YAML with @WORDS@
  std::vector<std::string> arguments;
  std::vector<Case> cases;
  std::vector<std::string> errors;  // "path:line: what"
};

// `folder` is where `config: NAME` looks for configs/NAME.
CaseFile parse_case_file(const std::string& path, const std::string& text,
                         const std::string& folder);

// A message to send as its block writes it: the head's lines each get a CRLF, an empty line is put
// after them, and what stands behind an empty line of the block follows as it is. A line that
// ends in a lone backslash gets no CRLF. `raw`: no CRLF and no empty line are added at all.
std::string message_bytes(const std::vector<std::string>& block, bool raw, std::string& error);

}  // namespace weir::test
