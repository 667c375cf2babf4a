#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"
#include "config/field_path.h"

namespace google::protobuf {
class Message;
}

namespace weir::config {

// Which of Envoy's messages, fields and enum values Weir supports. What Envoy has and Weir does not
// is refused by name, so that nothing that a configuration asks for is silently left out.
//
// Built from tables of text, one message a line, lines that begin with a space continue the one
// before, and '#' begins a comment:
//
//   package envoy.config.listener.v3
//   Listener: name address filter_chains      only these fields
//   FilterChain: * -on_demand_configuration   all fields but these
//   Cluster: * -type=EDS                      all values of the enum but this (0 cannot be refused)
//   extension Router: *                       may stand in an Any
//
// `package` names the package of the messages below it. A message that no table names is supported
// as a whole where it is a field of another, and not supported in an Any.
//
// Not thread-safe: `check` keeps what it learns of the message types.
class Support {
 public:
  Support();
  ~Support();
  Support(Support&&) noexcept;

  // Adds a table; of a message that is there already, the new line replaces the old one.
  void add(std::string_view table);
  // What is wrong with the tables: types and fields that do not exist. For tests.
  std::vector<std::string> problems() const;

  // Reports the fields that are set in `message`, or in a message within it, and not supported.
  // Does not look at what an Any holds.
  void check(const google::protobuf::Message& message, const FieldPath& path,
             Diagnostics& diagnostics);
  // Whether a type is supported in an Any.
  bool has_extension(std::string_view type) const;
  // The same; reports one that is not.
  bool check_extension(std::string_view type, const FieldPath& path,
                       Diagnostics& diagnostics) const;

  // Full names of the messages that may stand in an Any. Valid until the next `add`.
  std::vector<std::string_view> extension_types() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// What this build supports (support_list.cc).
Support default_support();

}  // namespace weir::config
