#pragma once

#include <functional>
#include <memory>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "config/yaml/yaml_node.h"

namespace google::protobuf {
class Message;
}

namespace weir::config {

struct ProtoLoadOptions {
  // Unknown fields are warnings instead of errors.
  bool allow_unknown_fields = false;
  // The text is JSON: a number with a fraction within a google.protobuf.Struct is then a number. In
  // YAML it is a string there, as in Envoy.
  bool is_json = false;
  // Type names of the extensions that exist.
  std::vector<std::string_view> extension_types;
  // An extension of none of `extension_types` whose owner says `is_optional` is left out, with a
  // warning.
  bool leaves_out_optional = false;
  // Called with the content of every Any, innermost first, before it is packed. Its path is that of
  // the Any.
  std::function<void(const google::protobuf::Message& content, const FieldPath& path)> on_any;
};

// Fills a message from a YAML or JSON tree by the proto3 JSON mapping: field names in snake_case or
// lowerCamelCase, 64-bit integers also as strings, bytes as base64, durations as "1.5s", an Any as
// a mapping with "@type". The content of a TypedStruct whose type is known is packed as that type;
// of what may be passed over (config/extension_type.h) and is of no type that is known, a
// TypedStruct stays that names the type.
//
// Every problem is reported with its position and the rest is loaded nevertheless, so that one run
// finds them all. Not thread-safe; one loader serves many trees of one source and keeps what it
// learns of the message types.
class ProtoLoader {
 public:
  // What is passed in must outlive the loader.
  ProtoLoader(const Source& source, const ProtoLoadOptions& options, Diagnostics& diagnostics);
  ~ProtoLoader();

  // Merges `node` into `out`; `path` is what the paths of errors begin with.
  void load(const YamlNode& node, const FieldPath& path, google::protobuf::Message& out);

 private:
  class Run;
  std::unique_ptr<Run> run_;
};

}  // namespace weir::config
