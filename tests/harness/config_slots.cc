#include "tests/harness/config_slots.h"

#include <cctype>
#include <sstream>

namespace weir::test {
namespace {

// The slot's name, or the empty text for any other line.
std::string slot_of(const std::string& line, size_t indentation) {
  if (line.size() < indentation + 3 || line[indentation] != '@' || line.back() != '@') return "";
  const bool lower = std::islower(static_cast<unsigned char>(line[indentation + 1])) != 0;
  return lower ? line.substr(indentation + 1, line.size() - indentation - 2) : "";
}

}  // namespace

std::string fill_slots(const std::string& skeleton,
                       const std::map<std::string, std::vector<std::string>>& blocks) {
  std::string out;
  std::istringstream lines(skeleton);
  for (std::string line; std::getline(lines, line);) {
    const size_t indentation = line.find_first_not_of(' ');
    const std::string slot = indentation == std::string::npos ? "" : slot_of(line, indentation);
    if (slot.empty()) {
      out += line + '\n';
    } else if (const auto block = blocks.find(slot); block != blocks.end()) {
      for (const std::string& inner : block->second)
        out += std::string(indentation, ' ') + inner + '\n';
    }
  }
  return out;
}

}  // namespace weir::test
