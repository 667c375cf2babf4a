#include "proxy/scope_keys.h"

#include <algorithm>
#include <cstring>

#include "envoy/config/route/v3/scoped_route.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "proxy/base/arena.h"

namespace weir {
namespace {

using config::Code;
using config::FieldPath;
using envoy::extensions::filters::network::http_connection_manager::v3::ScopedRoutes;

constexpr size_t kLengthBytes = sizeof(uint32_t);

void put_length(std::string_view fragment, char* to) {
  const auto length = static_cast<uint32_t>(fragment.size());
  std::memcpy(to, &length, kLengthBytes);
}

}  // namespace

std::string scope_key(const envoy::config::route::v3::ScopedRouteConfiguration_Key& key) {
  std::string out;
  for (const auto& fragment : key.fragments()) {
    char length[kLengthBytes];
    put_length(fragment.string_key(), length);
    out.append(length, kLengthBytes);
    out += fragment.string_key();
  }
  return out;
}

std::optional<ScopeKeyBuilder> ScopeKeyBuilder::compile(const ScopedRoutes::ScopeKeyBuilder& config,
                                                        const FieldPath& path,
                                                        config::Diagnostics& diagnostics) {
  const size_t errors_before = diagnostics.error_count();
  ScopeKeyBuilder out;
  const FieldPath fragments = path.field("fragments");
  for (int i = 0; i < config.fragments_size(); ++i) {
    const FieldPath fragment = fragments.at(i);
    const FieldPath at = fragment.field("header_value_extractor");
    const auto& from = config.fragments(i).header_value_extractor();
    Part part;
    part.header = from.name();
    std::transform(part.header.begin(), part.header.end(), part.header.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    part.element_separator = from.element_separator();
    part.index = from.index();
    part.by_key = from.has_element();
    part.key_separator = from.element().separator();
    part.key = from.element().key();
    if (from.extract_type_case() == from.EXTRACT_TYPE_NOT_SET)
      diagnostics.error(Code::kSemantic, at, "it is not said which element is meant",
                        "set index or element");
    if (part.index > 0 && part.element_separator.empty())
      diagnostics.error(Code::kSemantic, at.field("index"),
                        "without an element_separator there is only the element at 0");
    out.parts_.push_back(std::move(part));
  }
  if (diagnostics.error_count() != errors_before) return std::nullopt;
  return out;
}

std::optional<std::string_view> ScopeKeyBuilder::Part::take(std::string_view element) const {
  const size_t at = element.find(key_separator);
  if (element.substr(0, at) != key) return std::nullopt;
  return at == std::string_view::npos ? std::string_view()
                                      : element.substr(at + key_separator.size());
}

std::optional<std::string_view> ScopeKeyBuilder::Part::find(
    const http::RequestHead& request) const {
  // Of several lines of a name, the first.
  const http::Header* const line = request.headers.find(header);
  bool present = line != nullptr;
  std::string_view rest = present ? line->value : request.value_of(header, present);
  if (!present) return std::nullopt;
  for (uint32_t i = 0;; ++i) {
    const size_t end = element_separator.empty() ? rest.npos : rest.find(element_separator);
    const std::string_view element = rest.substr(0, end);
    if (!by_key && i == index) return element;
    if (by_key)
      if (const auto value = take(element)) return value;
    if (end == rest.npos) return std::nullopt;
    rest.remove_prefix(end + element_separator.size());
  }
}

std::optional<std::string_view> ScopeKeyBuilder::key_of(const http::RequestHead& request) const {
  size_t bytes = 0;
  for (const Part& part : parts_) {
    const auto fragment = part.find(request);
    if (!fragment) return std::nullopt;
    bytes += kLengthBytes + fragment->size();
  }
  char* const text = request.headers.arena().text(bytes);
  char* to = text;
  for (const Part& part : parts_) {
    const std::string_view fragment = *part.find(request);
    put_length(fragment, to);
    to = std::copy(fragment.begin(), fragment.end(), to + kLengthBytes);
  }
  return std::string_view(text, bytes);
}

}  // namespace weir
