#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"
#include "config/field_path.h"

// What is told of types of extensions that this build does not have.
namespace weir::config {

// Of one that Envoy has, as a whole sentence.
std::string not_supported_yet(std::string_view type);

struct UnknownType {
  Code code;
  std::string message;
  std::string hint;
};
// Of a type, by its full name, whose message is not compiled in: Envoy has it, or nobody has.
// `known` are those that Weir has, for the hint.
UnknownType describe_unknown_type(std::string_view type,
                                  const std::vector<std::string_view>& known);

// Whether an extension at `path`, of a type that Weir does not have, may be passed over. Such are
// the policies of a config.cluster.v3.LoadBalancingPolicy that Envoy does not have either: the
// first that is there is used. One that Envoy has would be used there. `path` is that of the Any.
bool may_be_passed_over(std::string_view type, const FieldPath& path);
// The warning about one that is.
void warn_of_passed_over(std::string_view type, const FieldPath& path, Diagnostics& diagnostics);
// Of one whose owner says `is_optional`, as a whole sentence.
std::string left_out_text(std::string_view type);

}  // namespace weir::config
