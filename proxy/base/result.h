#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

namespace weir {

// Whose fault an error is: what a log line says first and what a retry policy looks at.
enum class Side : uint8_t { kDownstream, kUpstream, kLocal };

// An error is a value: a stable code for programs, a sentence for people.
struct Error {
  std::string code;     // stable, kebab-case
  std::string message;  // names the place and, where there is one, the remedy
  Side side = Side::kLocal;
  bool retryable = false;
};

// A value or an Error. Cheap to move, never empty.
template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() { return std::get<0>(state_); }
  const T& value() const { return std::get<0>(state_); }
  T& operator*() { return value(); }
  const T& operator*() const { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }
  T take() { return std::move(std::get<0>(state_)); }

  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

// Success without a value, or an Error.
template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)), ok_(false) {}

  bool ok() const { return ok_; }
  explicit operator bool() const { return ok_; }
  const Error& error() const { return error_; }

 private:
  Error error_;
  bool ok_ = true;
};

}  // namespace weir
