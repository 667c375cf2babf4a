#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "proxy/http/message.h"

namespace envoy::config::route::v3 {
class ScopedRouteConfiguration_Key;
}
namespace envoy::extensions::filters::network::http_connection_manager::v3 {
class ScopedRoutes_ScopeKeyBuilder;
}

namespace weir {

// The key of a scope as bytes: each fragment after its length, so that no two keys are alike.
std::string scope_key(const envoy::config::route::v3::ScopedRouteConfiguration_Key& key);

// ScopedRoutes.ScopeKeyBuilder, compiled: which scope a request belongs to. Immutable, any thread.
class ScopeKeyBuilder {
 public:
  // Nothing on errors, which are then in `diagnostics`.
  static std::optional<ScopeKeyBuilder> compile(
      const envoy::extensions::filters::network::http_connection_manager::v3::
          ScopedRoutes_ScopeKeyBuilder& config,
      const config::FieldPath& path, config::Diagnostics& diagnostics);

  // As scope_key, in the request's arena; nothing when a fragment has no value in this request.
  std::optional<std::string_view> key_of(const http::RequestHead& request) const;

 private:
  // A header's value, or an element of it: the one at `index`, or what follows the one that begins
  // with `key` and `key_separator`.
  struct Part {
    std::string header;             // lower case
    std::string element_separator;  // empty: the value is one element
    uint32_t index = 0;
    bool by_key = false;
    std::string key_separator;
    std::string key;

    std::optional<std::string_view> find(const http::RequestHead& request) const;
    std::optional<std::string_view> take(std::string_view element) const;
  };

  std::vector<Part> parts_;
};

}  // namespace weir
