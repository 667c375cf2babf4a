#include "envoy/config/route/v3/route_components.pb.h"
#include "proxy/http/header_name.h"
#include "proxy/http/rate_limit.h"

namespace weir::http {
namespace {

namespace v3 = envoy::config::route::v3;
using config::Code;
using config::Diagnostics;
using config::FieldPath;
using Kind = RateLimitAction::Kind;

RateLimitAction action_of(Kind kind, std::string key, std::string value = {}) {
  RateLimitAction action;
  action.kind = kind;
  action.key = std::move(key);
  action.value = std::move(value);
  return action;
}

std::string or_default(const std::string& key, const char* fallback) {
  return key.empty() ? fallback : key;
}

RateLimitAction compile_header(const v3::RateLimit::Action::RequestHeaders& config) {
  RateLimitAction action = action_of(Kind::kRequestHeader, config.descriptor_key());
  action.header = lower_case(config.header_name());
  action.skip_if_absent = config.skip_if_absent();
  return action;
}

RateLimitAction compile_network(const v3::RateLimit::Action::MaskedRemoteAddress& config) {
  RateLimitAction action = action_of(Kind::kRemoteAddress, "masked_remote_address");
  action.v4_prefix_bits =
      config.has_v4_prefix_mask_len() ? static_cast<int>(config.v4_prefix_mask_len().value()) : 32;
  action.v6_prefix_bits =
      config.has_v6_prefix_mask_len() ? static_cast<int>(config.v6_prefix_mask_len().value()) : 128;
  return action;
}

RateLimitAction compile_headers_match(const v3::RateLimit::Action::HeaderValueMatch& config,
                                      const FieldPath& path, Diagnostics& diagnostics) {
  RateLimitAction action =
      action_of(Kind::kHeadersMatch, or_default(config.descriptor_key(), "header_match"),
                config.descriptor_value());
  action.expect_match = !config.has_expect_match() || config.expect_match().value();
  for (int i = 0; i < config.headers_size(); ++i) {
    auto match = HeaderMatch::compile(config.headers(i), path.field("headers", i), diagnostics);
    if (match) action.headers.push_back(std::move(*match));
  }
  return action;
}

RateLimitAction compile_query_match(const v3::RateLimit::Action::QueryParameterValueMatch& config,
                                    const FieldPath& path, Diagnostics& diagnostics) {
  RateLimitAction action =
      action_of(Kind::kQueryMatch, or_default(config.descriptor_key(), "query_match"),
                config.descriptor_value());
  action.expect_match = !config.has_expect_match() || config.expect_match().value();
  for (int i = 0; i < config.query_parameters_size(); ++i) {
    auto match = QueryMatch::compile(config.query_parameters(i), path.field("query_parameters", i),
                                     diagnostics);
    if (match) action.query.push_back(std::move(*match));
  }
  return action;
}

std::optional<RateLimitAction> compile_action(const v3::RateLimit::Action& config,
                                              const FieldPath& path, Diagnostics& diagnostics) {
  using Action = v3::RateLimit::Action;
  switch (config.action_specifier_case()) {
    case Action::kSourceCluster:
      return action_of(Kind::kSourceCluster, "source_cluster");
    case Action::kDestinationCluster:
      return action_of(Kind::kDestinationCluster, "destination_cluster");
    case Action::kRequestHeaders:
      return compile_header(config.request_headers());
    case Action::kRemoteAddress:
      return action_of(Kind::kRemoteAddress, "remote_address");
    case Action::kMaskedRemoteAddress:
      return compile_network(config.masked_remote_address());
    case Action::kGenericKey:
      return action_of(Kind::kGenericKey,
                       or_default(config.generic_key().descriptor_key(), "generic_key"),
                       config.generic_key().descriptor_value());
    case Action::kHeaderValueMatch: {
      const FieldPath match = path.field("header_value_match");
      return compile_headers_match(config.header_value_match(), match, diagnostics);
    }
    case Action::kQueryParameterValueMatch: {
      const FieldPath match = path.field("query_parameter_value_match");
      return compile_query_match(config.query_parameter_value_match(), match, diagnostics);
    }
    default:
      diagnostics.error(Code::kNotSupported, path,
                        "Weir does not support rate limit actions of this kind yet");
      return std::nullopt;
  }
}

}  // namespace

RateLimits compile_rate_limits(const google::protobuf::RepeatedPtrField<v3::RateLimit>& config,
                               std::string_view field, const FieldPath& parent,
                               Diagnostics& diagnostics) {
  RateLimits limits;
  for (int i = 0; i < config.size(); ++i) {
    const FieldPath path = parent.field(field, i);
    RateLimit limit;
    limit.stage = config[i].stage().value();
    limit.disable_key = config[i].disable_key();
    if (config[i].has_limit())
      diagnostics.error(Code::kNotSupported, path.field("limit"),
                        "Weir does not support limits from dynamic metadata yet");
    for (int a = 0; a < config[i].actions_size(); ++a) {
      auto action = compile_action(config[i].actions(a), path.field("actions", a), diagnostics);
      if (action) limit.actions.push_back(std::move(*action));
    }
    limits.push_back(std::move(limit));
  }
  return limits;
}

}  // namespace weir::http
