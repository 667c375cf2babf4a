#include "proxy/http/path_template.h"

#include <google/protobuf/any.pb.h>
#include <re2/re2.h>

#include <algorithm>

#include "envoy/extensions/path/match/uri_template/v3/uri_template_match.pb.h"
#include "envoy/extensions/path/rewrite/uri_template/v3/uri_template_rewrite.pb.h"
#include "proxy/base/result.h"

namespace weir::http {
namespace {

using config::Code;
using config::Diagnostics;
using config::FieldPath;
using envoy::extensions::path::match::uri_template::v3::UriTemplateMatchConfig;
using envoy::extensions::path::rewrite::uri_template::v3::UriTemplateRewriteConfig;

bool valid_variable(std::string_view name) {
  if (name.empty() || name.size() > PathTemplate::kMaxVariableBytes) return false;
  if (name[0] >= '0' && name[0] <= '9') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  });
}

Error bad(std::string message) {
  return {"bad-template", std::move(message)};
}

// Turns the text of a template into a regular expression.
class TemplateParser {
 public:
  Result<std::string> parse(std::string_view text) {
    if (!text.starts_with('/')) return bad("a template begins with '/'");
    std::string regex = "^";
    while (!text.empty()) {
      Result<std::string> piece = text[0] == '{' ? variable(text) : plain(text);
      if (!piece) return piece;
      regex += *piece;
    }
    return regex + "$";
  }

  std::vector<std::string> take_variables() { return std::move(variables_); }

 private:
  // Operators and literal text up to the next variable; takes it off `text`.
  Result<std::string> plain(std::string_view& text) {
    std::string regex;
    while (!text.empty() && text[0] != '{') {
      if (text[0] == '}') return bad("a '}' has no '{' before it");
      const bool many = text.starts_with("**");
      if (any_depth_ && text[0] == '*') return bad("nothing but text may follow '**'");
      any_depth_ = any_depth_ || many;
      if (text[0] != '*')
        regex += re2::RE2::QuoteMeta({text.data(), 1});
      else
        regex += many ? ".*" : "[^/]+";
      text.remove_prefix(many ? 2 : 1);
    }
    return regex;
  }

  // {name} or {name=pattern}; takes it off `text`.
  Result<std::string> variable(std::string_view& text) {
    const size_t close = text.find('}');
    if (close == std::string_view::npos) return bad("a '{' has no '}' behind it");
    const std::string_view inside = text.substr(1, close - 1);
    text.remove_prefix(close + 1);
    const std::string name(inside.substr(0, inside.find('=')));
    if (!valid_variable(name)) {
      return bad("'" + name + "' is not a variable: letters, digits and '_', at most " +
                 std::to_string(PathTemplate::kMaxVariableBytes) + ", no digit first");
    }
    if (std::find(variables_.begin(), variables_.end(), name) != variables_.end())
      return bad("the variable '" + name + "' is there twice");
    if (any_depth_) return bad("nothing but text may follow '**'");
    if (variables_.size() == PathTemplate::kMaxVariables)
      return bad("more than " + std::to_string(PathTemplate::kMaxVariables) + " variables");
    variables_.push_back(name);
    if (inside.size() == name.size()) return std::string("([^/]+)");
    return group(inside.substr(name.size() + 1));
  }

  Result<std::string> group(std::string_view pattern) {
    if (pattern.empty()) return bad("a variable's pattern is empty");
    if (pattern.find('{') != std::string_view::npos) return bad("a variable stands in a variable");
    Result<std::string> regex = plain(pattern);
    if (!regex) return regex;
    return "(" + *regex + ")";
  }

  std::vector<std::string> variables_;
  bool any_depth_ = false;  // a '**' was seen
};

// The substitution, in RE2's syntax, for a rewrite template.
Result<std::string> parse_rewrite(std::string_view text,
                                  const std::vector<std::string>& variables) {
  if (!text.starts_with('/')) return bad("a rewrite begins with '/'");
  std::string substitution;
  while (!text.empty()) {
    const char c = text[0];
    if (c == '}' || c == '*')
      return bad(std::string("a bare '") + c + "' cannot stand in a rewrite");
    if (c != '{') {
      substitution += c == '\\' ? "\\\\" : std::string(1, c);
      text.remove_prefix(1);
      continue;
    }
    const size_t close = text.find('}');
    if (close == std::string_view::npos) return bad("a '{' has no '}' behind it");
    const auto found = std::find(variables.begin(), variables.end(), text.substr(1, close - 1));
    if (found == variables.end())
      return bad("the match has no variable '" + std::string(text.substr(1, close - 1)) + "'");
    substitution += "\\" + std::to_string(found - variables.begin() + 1);
    text.remove_prefix(close + 1);
  }
  return substitution;
}

template <class Message>
std::optional<Message> unpack(const google::protobuf::Any& any, const FieldPath& path,
                              Diagnostics& diagnostics) {
  Message message;
  if (any.UnpackTo(&message)) return message;
  const std::string known(Message::descriptor()->full_name());
  diagnostics.error(Code::kNotSupported, path,
                    "the extension " + any.type_url() + " is not supported here",
                    "the one that is: type.googleapis.com/" + known);
  return std::nullopt;
}

}  // namespace

std::optional<PathTemplate> compile_path_template(const google::protobuf::Any& config,
                                                  const FieldPath& path, Diagnostics& diagnostics) {
  const auto message = unpack<UriTemplateMatchConfig>(config, path, diagnostics);
  if (!message) return std::nullopt;
  TemplateParser parser;
  const Result<std::string> regex = parser.parse(message->path_template());
  const FieldPath text_path = path.field("path_template");
  if (!regex) {
    diagnostics.error(Code::kInvalidValue, text_path, regex.error().message,
                      "for example \"/api/{user}/files/**\"");
    return std::nullopt;
  }
  PathTemplate out{message->path_template(), parser.take_variables(),
                   compile_regex(*regex, text_path, diagnostics)};
  if (out.regex == nullptr) return std::nullopt;
  return out;
}

std::optional<RegexRewrite> PathTemplate::rewrite(const std::string& rewrite_text,
                                                  const FieldPath& path,
                                                  Diagnostics& diagnostics) const {
  Result<std::string> substitution = parse_rewrite(rewrite_text, variables);
  if (substitution) return RegexRewrite{regex, substitution.take()};
  diagnostics.error(Code::kInvalidValue, path, substitution.error().message,
                    "for example \"/files/{user}\", with the variables of the route's match");
  return std::nullopt;
}

std::optional<RegexRewrite> compile_path_template_rewrite(const google::protobuf::Any& rewrite,
                                                          const google::protobuf::Any& match,
                                                          const FieldPath& path,
                                                          Diagnostics& diagnostics) {
  const auto message = unpack<UriTemplateRewriteConfig>(rewrite, path, diagnostics);
  if (!message) return std::nullopt;
  // What is wrong with the match is reported where it stands.
  Diagnostics unheard;
  const auto parsed = compile_path_template(match, path, unheard);
  if (!parsed) {
    if (match.Is<UriTemplateMatchConfig>()) return std::nullopt;
    diagnostics.error(Code::kSemantic, path, "the route does not match by a path template",
                      "give the route a path_match_policy with a UriTemplateMatchConfig");
    return std::nullopt;
  }
  return parsed->rewrite(message->path_template_rewrite(), path.field("path_template_rewrite"),
                         diagnostics);
}

}  // namespace weir::http
