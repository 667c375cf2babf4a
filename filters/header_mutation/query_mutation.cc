#include "filters/header_mutation/query_mutation.h"

#include <algorithm>

#include "envoy/config/core/v3/base.pb.h"

namespace weir::filters {
namespace {

using config::Code;

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string percent_decoded(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool escape = text[i] == '%' && i + 2 < text.size() && hex_digit(text[i + 1]) >= 0 &&
                        hex_digit(text[i + 2]) >= 0;
    out.push_back(escape ? static_cast<char>(hex_digit(text[i + 1]) << 4 | hex_digit(text[i + 2]))
                         : text[i]);
    if (escape) i += 2;
  }
  return out;
}

// Unreserved characters and what a query may hold besides (RFC 3986 3.4), without '&', '=' and '+',
// which mean something in most queries.
bool stays(char c) {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  return c != '\0' && std::string_view("-._~!$'()*,;:@/?").find(c) != std::string_view::npos;
}

std::string percent_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (stays(c)) {
      out.push_back(c);
      continue;
    }
    const auto byte = static_cast<uint8_t>(c);
    out += {'%', "0123456789ABCDEF"[byte >> 4], "0123456789ABCDEF"[byte & 15]};
  }
  return out;
}

bool has_key(std::string_view parameter, std::string_view key) {
  return percent_decoded(parameter.substr(0, parameter.find('='))) == key;
}

void append(std::string& query, std::string_view parameter) {
  if (!query.empty()) query += '&';
  query += parameter;
}

}  // namespace

QueryMutations QueryMutations::compile(
    const google::protobuf::RepeatedPtrField<envoy::config::core::v3::KeyValueMutation>& config,
    const config::FieldPath& parent, config::Diagnostics& diagnostics) {
  QueryMutations out;
  for (int i = 0; i < config.size(); ++i) {
    const auto path = parent.field("query_parameter_mutations", i);
    if (config[i].has_append() == !config[i].remove().empty()) {
      diagnostics.error(Code::kSemantic, path, "set one of 'append' and 'remove'");
      continue;
    }
    if (!config[i].has_append()) {
      out.mutations_.push_back({Action::kRemove, config[i].remove(), {}});
      continue;
    }
    const auto& append = config[i].append();
    auto value = http::Format::compile(append.entry().value());
    if (!value) {
      diagnostics.error(Code::kInvalidValue, path.field("append.entry.value"),
                        value.error().message);
      continue;
    }
    Mutation mutation{static_cast<Action>(append.action()), append.entry().key(), {}};
    mutation.value.push_back(value.take());
    out.mutations_.push_back(std::move(mutation));
  }
  return out;
}

// Rebuilds the query without the parameters of that key where the action asks for it, and with the
// new one at the place of the first, or at the end.
void QueryMutations::apply_one(const Mutation& mutation, std::string_view value,
                               std::string& query) {
  const bool drops = mutation.action == Action::kRemove ||
                     mutation.action == Action::kOverwriteOrAdd ||
                     mutation.action == Action::kOverwriteIfExists;
  const std::string added = percent_encoded(mutation.key) + "=" + percent_encoded(value);
  std::string out;
  bool found = false;
  for (std::string_view rest = query; !rest.empty();) {
    const std::string_view parameter = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(parameter.size() + 1, rest.size()));
    const bool same = has_key(parameter, mutation.key);
    if (!same || !drops) append(out, parameter);
    if (same && !found && drops && mutation.action != Action::kRemove) append(out, added);
    found |= same;
  }
  if (mutation.action == Action::kAppend ||
      (!found &&
       (mutation.action == Action::kAddIfAbsent || mutation.action == Action::kOverwriteOrAdd)))
    append(out, added);
  query = std::move(out);
}

void QueryMutations::apply(http::RequestHead& request, const http::FormatInput& input) const {
  if (mutations_.empty() || !request.path.starts_with('/')) return;
  const size_t mark = std::min(request.path.find('?'), request.path.size());
  std::string query(request.path.substr(std::min(mark + 1, request.path.size())));
  Arena& arena = request.headers.arena();
  for (const Mutation& mutation : mutations_) {
    const std::string_view value =
        mutation.value.empty() ? "" : mutation.value.front().evaluate(input, arena, "");
    apply_one(mutation, value, query);
  }
  request.path = arena.concat({request.path.substr(0, mark), query.empty() ? "" : "?", query});
}

}  // namespace weir::filters
