#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/http/fraction.h"

namespace google::protobuf {
class Struct;
}

namespace weir {

// Values that feature fractions and limits look up by key, at one moment. Immutable: any thread.
class Runtime {
 public:
  using Values = std::map<std::string, std::string, std::less<>>;

  Runtime() = default;
  explicit Runtime(Values values) : values_(std::move(values)) {}

  // A number, also where it is written as text; nothing when the key is not set or not a number.
  std::optional<double> number(std::string_view key) const;
  uint32_t number(std::string_view key, uint32_t fallback) const;
  // A whole number that is not negative; `fallback` otherwise.
  uint64_t limit(std::string_view key, uint64_t fallback) const;

  const Values& values() const { return values_; }

 private:
  Values values_;
};

// The values of a layer: nested mappings are keys with dots, fractions are percentages.
Runtime::Values runtime_values(const google::protobuf::Struct& layer);

// The values in force, which the main thread exchanges while workers read them. What a call of
// current() gives is valid until the caller's turn of its loop ends: whoever exchanges keeps the
// old ones until every worker has had another turn.
class LiveRuntime {
 public:
  const Runtime& current() const { return *current_.load(std::memory_order_acquire); }
  uint32_t number(std::string_view key, uint32_t fallback) const {
    return current().number(key, fallback);
  }
  uint64_t limit(std::string_view key, uint64_t fallback) const {
    return current().limit(key, fallback);
  }

  // Main thread. Returns what was in force before.
  std::unique_ptr<const Runtime> exchange(std::unique_ptr<const Runtime> next) {
    current_.store(next.get(), std::memory_order_release);
    owned_.swap(next);
    return next;
  }

 private:
  std::unique_ptr<const Runtime> owned_ = std::make_unique<const Runtime>();
  std::atomic<const Runtime*> current_{owned_.get()};
};

// For those who keep it: the values that are in force then. Empty for null.
http::RuntimeLookup lookup_in(std::shared_ptr<const LiveRuntime> runtime);

}  // namespace weir
