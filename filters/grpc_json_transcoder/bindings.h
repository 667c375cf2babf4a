#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "filters/grpc_json_transcoder/binding_trie.h"
#include "filters/grpc_json_transcoder/field_value.h"
#include "filters/grpc_json_transcoder/types.h"
#include "filters/grpc_json_transcoder/url_text.h"
#include "proxy/base/result.h"

namespace google::api {
class HttpRule;
}

namespace weir::filters::transcoder {

// A gRPC method that HTTP requests may reach.
struct Method {
  const google::protobuf::MethodDescriptor* descriptor;
  std::string path;                          // "/package.Service/Method"
  const google::protobuf::Message* request;  // prototypes
  const google::protobuf::Message* response;
};

// One way to call a method: a google.api.http rule, read.
struct Binding {
  enum class Body : uint8_t { kNone, kWhole, kField };

  const Method* method;
  HttpTemplate path;
  std::vector<FieldChain> variables;  // as `path.variables`
  Body body = Body::kNone;
  FieldChain body_field;         // of kField
  FieldChain response_field;     // empty: the whole response
  bool takes_http_body = false;  // the request's body is a google.api.HttpBody
  bool gives_http_body = false;  // the response's body is one
};

// The binding of one request, and what its path says of the fields.
struct Match {
  const Binding* binding;
  std::vector<std::pair<const FieldChain*, std::string>> variables;
};

// The rules of some services. Immutable once built: any thread.
class Bindings {
 public:
  struct Options {
    bool auto_mapping = false;
    bool match_unregistered_verbs = false;
    Unescape unescape = Unescape::kAllButReserved;
  };
  explicit Bindings(const Options& options) : options_(options) {}

  // Adds all methods of the service; `types` outlives this. An error names method and rule.
  Result<void> add_service(const google::protobuf::ServiceDescriptor& service, const Types& types);

  std::optional<Match> find(std::string_view http_method, std::string_view path) const;

 private:
  Result<void> add_method(const google::protobuf::MethodDescriptor& method, const Types& types);
  Result<void> add_rule(const Method& method, const google::api::HttpRule& rule);
  Result<void> add(Binding binding, std::string_view http_method);

  Options options_;
  std::deque<Method> methods_;
  std::deque<Binding> bindings_;
  BindingTrie trie_;
  std::set<std::string, std::less<>> verbs_;
};

// The fields that the names lead to, through messages that are not repeated; nothing when there are
// none such.
std::optional<FieldChain> find_chain(const google::protobuf::Descriptor& type,
                                     const std::vector<std::string>& names);
std::vector<std::string> split_names(std::string_view text);

// Whether text of a URL can be the field's value.
bool takes_text(const google::protobuf::FieldDescriptor& field);

// "book.pages"
std::string chain_text(const FieldChain& chain);

}  // namespace weir::filters::transcoder
