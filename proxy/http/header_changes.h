#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/http/formatter.h"
#include "proxy/http/message.h"

namespace google::protobuf {
template <class Element>
class RepeatedPtrField;
}
namespace envoy::config::core::v3 {
class HeaderValueOption;
}

namespace weir::http {

// Changes to the headers of a message, compiled from the lists of one or more levels of the
// configuration. Copies share what they hold. Immutable once compiled: any thread.
//
// Pseudo headers and Host are not in a HeaderMap, and the compiler refuses their names, so that no
// change here moves a request to another host or path.
class HeaderChanges {
 public:
  // HeaderValueOption.append_action, in its order.
  enum class Action : uint8_t { kAppend, kAddIfAbsent, kOverwriteOrAdd, kOverwriteIfExists };
  struct Change {
    std::string name;  // lower case
    Format value;
    Action action = Action::kAppend;
    bool keep_empty = false;  // otherwise an empty value changes nothing
  };
  // What takes effect together: removals, then all values are computed, then overwrites, then
  // additions, as in Envoy.
  struct Level {
    std::vector<std::string> remove;  // lower case
    std::vector<Change> changes;
  };

  bool empty() const { return levels_.empty(); }
  // Levels take effect one after the other, in the order they are added.
  void add(Level level);
  void add(Change change);
  void remove(std::string name);
  void append(const HeaderChanges& other);

  // `input` gives the substitution commands their values. Values live in the arena of `headers` or
  // in this object, which must outlive the message.
  void apply(HeaderMap& headers, const FormatInput& input) const;
  void apply(RequestHead& request, const FormatInput& input) const {
    apply(request.headers, input);
  }

 private:
  std::vector<std::shared_ptr<const Level>> levels_;
};

using HeaderOptions =
    google::protobuf::RepeatedPtrField<envoy::config::core::v3::HeaderValueOption>;
using HeaderNames = google::protobuf::RepeatedPtrField<std::string>;

// One HeaderValueOption; nothing on an error, which is then in `diagnostics`.
std::optional<HeaderChanges::Change> compile_header_change(
    const envoy::config::core::v3::HeaderValueOption& option, const config::FieldPath& path,
    config::Diagnostics& diagnostics);

// Checks the name of a header to remove; its lower-case form, or nothing on an error.
std::optional<std::string> compile_header_removal(const std::string& name,
                                                  const config::FieldPath& path,
                                                  config::Diagnostics& diagnostics);

// The `*_headers_to_add` and `*_headers_to_remove` of one message, whose path is `parent`.
HeaderChanges compile_header_changes(const HeaderOptions& add, std::string_view add_field,
                                     const HeaderNames& remove, std::string_view remove_field,
                                     const config::FieldPath& parent,
                                     config::Diagnostics& diagnostics);

}  // namespace weir::http
