#pragma once

#include <functional>
#include <unordered_map>
#include <utility>

namespace google::protobuf {
class Descriptor;
}

namespace weir::config {

// Tells which message types are worth descending into: whether a type, or any type that it can
// contain, is a goal. Remembers the answers. Not thread-safe.
class TypeReach {
 public:
  using Goal = std::function<bool(const google::protobuf::Descriptor&)>;

  explicit TypeReach(Goal is_goal) : is_goal_(std::move(is_goal)) {}

  bool reaches(const google::protobuf::Descriptor& type);

 private:
  Goal is_goal_;
  std::unordered_map<const google::protobuf::Descriptor*, bool> known_;
};

}  // namespace weir::config
