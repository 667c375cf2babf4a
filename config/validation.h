#pragma once

#include <memory>

#include "config/diagnostic.h"
#include "config/field_path.h"

namespace google::protobuf {
class Message;
}

namespace weir::config {

// Applies the rules that the API's own definitions carry (protoc-gen-validate's
// `(validate.rules)`), found by reflection. Not evaluated: a timestamp's `lt_now`, `gt_now` and
// `within`, which depend on the clock.
//
// Keeps what it learns of the message types, so one validator serves many messages. Takes generated
// messages only: well-known types are cast to their classes. Not thread-safe.
class Validator {
 public:
  Validator();
  ~Validator();
  Validator(const Validator&) = delete;
  Validator& operator=(const Validator&) = delete;

  // Checks `message` and all messages within it, but not what an Any holds. Reports every broken
  // rule as Code::kConstraint with its field path, unless an error is known there already.
  void check(const google::protobuf::Message& message, const FieldPath& path,
             Diagnostics& diagnostics);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace weir::config
