#pragma once

#include <cstdint>
#include <string>
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
class KeyValueMutation;
}

namespace weir::filters {

// Changes to the query of a request's path (config.core.v3.KeyValueMutation). A parameter's key is
// compared after percent-decoding; new keys and values are percent-encoded where they must be, and
// what no mutation names stays as it is. Immutable.
class QueryMutations {
 public:
  // Field `query_parameter_mutations` of the message at `parent`.
  static QueryMutations compile(
      const google::protobuf::RepeatedPtrField<envoy::config::core::v3::KeyValueMutation>& config,
      const config::FieldPath& parent, config::Diagnostics& diagnostics);

  void apply(http::RequestHead& request, const http::FormatInput& input) const;

 private:
  // KeyValueAppend.action in its order, and removal.
  enum class Action : uint8_t {
    kAppend,
    kAddIfAbsent,
    kOverwriteOrAdd,
    kOverwriteIfExists,
    kRemove,
  };
  struct Mutation {
    Action action;
    std::string key;
    std::vector<http::Format> value;  // one, but for kRemove
  };

  static void apply_one(const Mutation& mutation, std::string_view value, std::string& query);

  std::vector<Mutation> mutations_;
};

}  // namespace weir::filters
