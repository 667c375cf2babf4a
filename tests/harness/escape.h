#pragma once

#include <string>
#include <string_view>

namespace weir::test {

// The escapes of the textual tests: \r \n \t \0 \\ \xNN, and \(TEXT*COUNT) for a repetition (its
// TEXT may hold escapes but no '*'; a # in it counts the repetitions from 0). Anything else after a
// backslash makes `error` non-empty.
std::string unescape(std::string_view text, std::string& error);

// Bytes as a person can read them: the same escapes, and a real line break after each \n.
std::string readable(std::string_view bytes);

}  // namespace weir::test
