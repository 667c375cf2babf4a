#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "config/bootstrap.h"
#include "config/diagnostic.h"

namespace weir {

// The bootstrap's layered_runtime, its static layers laid over each other: values that feature
// fractions and limits look up by key. Immutable: any thread.
class Runtime {
 public:
  Runtime() = default;
  // Errors are in `diagnostics` afterwards.
  static Runtime compile(const config::Bootstrap& bootstrap, config::Diagnostics& diagnostics);

  bool empty() const { return values_.empty(); }
  // A number, also where it is written as text; nothing when the key is not set or not a number.
  std::optional<double> number(std::string_view key) const;
  uint32_t number(std::string_view key, uint32_t fallback) const;
  // A whole number that is not negative; `fallback` otherwise.
  uint64_t limit(std::string_view key, uint64_t fallback) const;

  const std::map<std::string, std::string, std::less<>>& values() const { return values_; }

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace weir
