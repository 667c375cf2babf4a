#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/http/regex.h"

namespace google::protobuf {
class Any;
}

namespace weir::http {

// envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig, compiled to a regular
// expression over the whole path: `*` is a segment (or a part of one), `**` any number of segments,
// `{name}` and `{name=pattern}` capture.
struct PathTemplate {
  static constexpr size_t kMaxVariables = 5;
  static constexpr size_t kMaxVariableBytes = 16;

  std::string text;
  std::vector<std::string> variables;  // in the order of the expression's groups
  Regex regex;

  // What stands for a path that this template matches, as envoy.extensions.path.rewrite
  // .uri_template.v3.UriTemplateRewriteConfig has it; nothing on an error in `text`.
  std::optional<RegexRewrite> rewrite(const std::string& rewrite_text,
                                      const config::FieldPath& path,
                                      config::Diagnostics& diagnostics) const;
};

// Nothing on an error, which is then in `diagnostics`.
std::optional<PathTemplate> compile_path_template(const google::protobuf::Any& config,
                                                  const config::FieldPath& path,
                                                  config::Diagnostics& diagnostics);

// The rewrite of a route that matches by `match`, the template's own config.
std::optional<RegexRewrite> compile_path_template_rewrite(const google::protobuf::Any& rewrite,
                                                          const google::protobuf::Any& match,
                                                          const config::FieldPath& path,
                                                          config::Diagnostics& diagnostics);

}  // namespace weir::http
