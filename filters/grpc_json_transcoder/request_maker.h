#pragma once

#include <google/protobuf/arena.h>
#include <google/protobuf/message.h>

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "filters/grpc_json_transcoder/bindings.h"
#include "filters/grpc_json_transcoder/settings.h"

namespace weir::filters::transcoder {

// Makes the gRPC messages of one request: out of what its path and query say of fields, and what
// its body holds. One thread.
class RequestMaker {
 public:
  // Both outlive this.
  RequestMaker(Match match, const Settings& settings);

  const Binding& binding() const { return *match_.binding; }

  // Reads the query of `path`. Returns the name of a parameter that no field takes, or an empty
  // text.
  std::string read_query(std::string_view path);
  // Puts path and query into the message. Nothing, or what is wrong.
  std::optional<Violation> bind();

  // Appends a message, framed, to `out`. `json` is the text of the body, or of one element of it; a
  // text of nothing but spaces is an empty object.
  std::optional<Violation> add_json(std::string_view json, std::string& out);
  // The same for a binding that takes a google.api.HttpBody. Only the first message has what path
  // and query say, and the content type.
  std::optional<Violation> add_http_body(std::string_view content_type, std::string_view data,
                                         std::string& out);

 private:
  std::optional<Violation> bind_text(const FieldChain& chain, std::string_view text);
  std::optional<Violation> find_collision(const google::protobuf::Message& message) const;
  void put_unknown_parameters(google::protobuf::Message& body) const;
  static std::optional<Violation> frame(const google::protobuf::Message& message, std::string& out);

  Match match_;
  const Settings& settings_;
  std::vector<std::pair<FieldChain, std::string>> parameters_;  // of the query
  std::map<std::string, std::vector<std::string>> unknown_;     // to be captured
  google::protobuf::Arena arena_;
  google::protobuf::Message* bound_;  // what path and query say; in `arena_`
  bool first_ = true;
};

}  // namespace weir::filters::transcoder
