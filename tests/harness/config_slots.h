#pragma once

#include <map>
#include <string>
#include <vector>

namespace weir::test {

// Puts blocks of lines in the place of the lines of a skeleton that are just @name@, at their
// indentation. A line whose block was not given goes.
std::string fill_slots(const std::string& skeleton,
                       const std::map<std::string, std::vector<std::string>>& blocks);

}  // namespace weir::test
