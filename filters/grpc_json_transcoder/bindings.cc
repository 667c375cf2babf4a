#include "filters/grpc_json_transcoder/bindings.h"

#include <algorithm>

#include "google/api/annotations.pb.h"

namespace weir::filters::transcoder {
namespace {

using google::api::HttpRule;
using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

constexpr std::string_view kHttpBody = "google.api.HttpBody";

Error invalid(const Method& method, const std::string& what) {
  return {"invalid-http-rule", method.descriptor->full_name() + ": " + what};
}

struct Pattern {
  std::string method;
  std::string path;
};

Pattern pattern_of(const HttpRule& rule) {
  switch (rule.pattern_case()) {
    case HttpRule::kGet:
      return {"GET", rule.get()};
    case HttpRule::kPut:
      return {"PUT", rule.put()};
    case HttpRule::kPost:
      return {"POST", rule.post()};
    case HttpRule::kDelete:
      return {"DELETE", rule.delete_()};
    case HttpRule::kPatch:
      return {"PATCH", rule.patch()};
    case HttpRule::kCustom:
      return {rule.custom().kind(), rule.custom().path()};
    default:
      return {};
  }
}

// The type of the body: of the field, or of the whole message.
bool is_http_body(const Descriptor& whole, const FieldChain& field) {
  if (field.empty()) return whole.full_name() == kHttpBody;
  const FieldDescriptor& last = *field.back();
  return last.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE && !last.is_repeated() &&
         last.message_type()->full_name() == kHttpBody;
}

Result<void> read_variables(Binding& binding) {
  const Descriptor& request = *binding.method->descriptor->input_type();
  for (const PathVariable& variable : binding.path.variables) {
    const auto chain = find_chain(request, variable.field);
    std::string name;
    for (const std::string& part : variable.field) name += (name.empty() ? "" : ".") + part;
    if (!chain)
      return invalid(*binding.method,
                     "the path's '" + name + "' is no field of " + request.full_name());
    if (chain->back()->is_repeated() || !takes_text(*chain->back()))
      return invalid(*binding.method, "the path's '" + name + "' is no field for one text");
    binding.variables.push_back(*chain);
  }
  return {};
}

Result<void> read_bodies(const HttpRule& rule, Binding& binding) {
  const Descriptor& request = *binding.method->descriptor->input_type();
  const Descriptor& response = *binding.method->descriptor->output_type();
  if (rule.body() == "*") {
    binding.body = Binding::Body::kWhole;
  } else if (!rule.body().empty()) {
    const auto chain = find_chain(request, split_names(rule.body()));
    if (!chain)
      return invalid(*binding.method,
                     "body '" + rule.body() + "' is no field of " + request.full_name());
    binding.body = Binding::Body::kField;
    binding.body_field = *chain;
  }
  if (!rule.response_body().empty()) {
    const auto chain = find_chain(response, split_names(rule.response_body()));
    if (!chain)
      return invalid(*binding.method, "response_body '" + rule.response_body() +
                                          "' is no field of " + response.full_name());
    binding.response_field = *chain;
  }
  binding.takes_http_body =
      binding.body != Binding::Body::kNone && is_http_body(request, binding.body_field);
  binding.gives_http_body = is_http_body(response, binding.response_field);
  return {};
}

}  // namespace

std::vector<std::string> split_names(std::string_view text) {
  std::vector<std::string> names;
  for (size_t from = 0; from <= text.size();) {
    const size_t to = std::min(text.find('.', from), text.size());
    names.emplace_back(text.substr(from, to - from));
    from = to + 1;
  }
  return names;
}

std::optional<FieldChain> find_chain(const Descriptor& type,
                                     const std::vector<std::string>& names) {
  FieldChain chain;
  const Descriptor* at = &type;
  for (const std::string& name : names) {
    const FieldDescriptor* field = at == nullptr ? nullptr : find_field(*at, name);
    if (field == nullptr) return {};
    chain.push_back(field);
    const bool leads_on =
        !field->is_repeated() && field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    at = leads_on ? field->message_type() : nullptr;
  }
  return chain;
}

std::string chain_text(const FieldChain& chain) {
  std::string out;
  for (const FieldDescriptor* field : chain) out += (out.empty() ? "" : ".") + field->name();
  return out;
}

bool takes_text(const FieldDescriptor& field) {
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return true;
  return !field.is_map() && is_scalar_message(*field.message_type());
}

Result<void> Bindings::add_service(const ServiceDescriptor& service, const Types& types) {
  for (int i = 0; i < service.method_count(); ++i)
    if (Result<void> added = add_method(*service.method(i), types); !added) return added;
  return {};
}

Result<void> Bindings::add_method(const MethodDescriptor& method, const Types& types) {
  const bool has_rule = method.options().HasExtension(google::api::http);
  if (!has_rule && !options_.auto_mapping) return {};
  const Method& added = methods_.emplace_back(
      Method{.descriptor = &method,
             .path = "/" + method.service()->full_name() + "/" + method.name(),
             .request = types.find(method.input_type()->full_name()),
             .response = types.find(method.output_type()->full_name())});
  HttpRule rule;
  if (has_rule) {
    rule = method.options().GetExtension(google::api::http);
  } else {
    rule.set_post(added.path);
    rule.set_body("*");
  }
  if (Result<void> read = add_rule(added, rule); !read) return read;
  for (const HttpRule& additional : rule.additional_bindings()) {
    if (additional.additional_bindings_size() > 0)
      return invalid(added, "additional_bindings cannot have additional_bindings themselves");
    if (Result<void> read = add_rule(added, additional); !read) return read;
  }
  return {};
}

Result<void> Bindings::add_rule(const Method& method, const HttpRule& rule) {
  const Pattern pattern = pattern_of(rule);
  if (pattern.method.empty())
    return invalid(method, "the rule has no pattern: set get, put, post, delete, patch or custom");
  Result<HttpTemplate> path = parse_http_template(pattern.path);
  if (!path) return invalid(method, "path '" + pattern.path + "': " + path.error().message);
  Binding binding{.method = &method, .path = path.take()};
  if (Result<void> read = read_variables(binding); !read) return read;
  if (Result<void> read = read_bodies(rule, binding); !read) return read;
  return add(std::move(binding), pattern.method);
}

Result<void> Bindings::add(Binding binding, std::string_view http_method) {
  const auto number = static_cast<uint32_t>(bindings_.size());
  const uint32_t there = trie_.add(binding.path, http_method, number);
  if (there != BindingTrie::kNone && bindings_[there].method != binding.method)
    return invalid(*binding.method, "has the same path and HTTP method as " +
                                        bindings_[there].method->descriptor->full_name());
  if (!binding.path.verb.empty()) verbs_.insert(binding.path.verb);
  bindings_.push_back(std::move(binding));
  return {};
}

namespace {

// The text of the path's segments that a variable takes. What `**` takes is what the others leave.
std::string variable_text(const HttpTemplate& path, const PathVariable& variable,
                          const std::vector<std::string_view>& segments,
                          Unescape unescape_several) {
  const size_t extra =
      path.many_at == HttpTemplate::kNone ? 0 : segments.size() - (path.segments.size() - 1);
  const auto position = [&](size_t of) {
    return path.many_at == HttpTemplate::kNone || of <= path.many_at ? of : of - 1 + extra;
  };
  const size_t end = position(variable.first + variable.count);
  const Unescape how = path.takes_several(variable) ? unescape_several : Unescape::kAll;
  std::string text;
  for (size_t i = position(variable.first); i < end; ++i) {
    if (i > position(variable.first)) text += '/';
    text += unescape(segments[i], how);
  }
  return text;
}

}  // namespace

std::optional<Match> Bindings::find(std::string_view http_method, std::string_view path) const {
  PathParts parts = split_path(path);
  if (!parts.verb.empty() && !options_.match_unregistered_verbs && !verbs_.contains(parts.verb)) {
    // Only a colon in a segment.
    const bool alone = parts.with_verb.size() == parts.verb.size() + 1;
    if (alone) {
      parts.segments.push_back(parts.with_verb);
    } else {
      parts.segments.back() = parts.with_verb;
    }
    parts.verb = {};
  }
  const uint32_t found = trie_.find(http_method, parts.segments, parts.verb);
  if (found == BindingTrie::kNone) return {};
  Match match{.binding = &bindings_[found]};
  const HttpTemplate& rule = match.binding->path;
  for (size_t i = 0; i < rule.variables.size(); ++i)
    match.variables.emplace_back(
        &match.binding->variables[i],
        variable_text(rule, rule.variables[i], parts.segments, options_.unescape));
  return match;
}

}  // namespace weir::filters::transcoder
