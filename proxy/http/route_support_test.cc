// Every field of the route messages is either named here as honoured, or refused by name when it is
// set: nothing that a configuration asks for is silently left out.
#include <google/protobuf/message.h>

#include <functional>
#include <set>

#include "proxy/http/route_fixture.h"

namespace weir::http {
namespace {

using envoy::config::route::v3::RouteConfiguration;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

void set_field(Message& message, const FieldDescriptor& field) {
  const auto& reflection = *message.GetReflection();
  if (field.is_repeated()) {
    if (field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE)
      reflection.AddMessage(&message, &field);
    else
      reflection.AddString(&message, &field, "x");
    return;
  }
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_MESSAGE:
      reflection.MutableMessage(&message, &field);
      return;
    case FieldDescriptor::CPPTYPE_BOOL:
      return reflection.SetBool(&message, &field, true);
    case FieldDescriptor::CPPTYPE_ENUM:
      return reflection.SetEnumValue(&message, &field, 1);
    case FieldDescriptor::CPPTYPE_STRING:
      return reflection.SetString(&message, &field, "x");
    default:
      FAIL() << "no test value for " << field.full_name();
  }
}

struct MessageCase {
  std::string path;  // of the message in the configuration
  std::function<Message*(RouteConfiguration&)> get;
  std::set<std::string> honoured;
};

class RouteSupportTest : public RouteFixture {
 protected:
  static RouteConfiguration base() {
    return parse(
        "virtual_hosts { name: 'h' domains: '*' routes { match { prefix: '/' } route { cluster: "
        "'c' } } }");
  }

  void check(const MessageCase& message) {
    RouteConfiguration config = base();
    const auto* type = message.get(config)->GetDescriptor();
    for (const std::string& name : message.honoured)
      EXPECT_NE(type->FindFieldByName(name), nullptr) << type->full_name() << "." << name;
    for (int i = 0; i < type->field_count(); ++i) {
      const FieldDescriptor& field = *type->field(i);
      if (message.honoured.contains(field.name())) continue;
      config = base();
      set_field(*message.get(config), field);
      compile(config);
      std::string expected =
          message.path.empty() ? field.name() : message.path + "." + field.name();
      EXPECT_NE(errors().find("rc." + expected + ": not-supported\n"), std::string::npos)
          << "not refused: " << expected << "\n"
          << errors();
    }
  }
};

auto* first_host(RouteConfiguration& config) {
  return config.mutable_virtual_hosts(0);
}
auto* first_route(RouteConfiguration& config) {
  return first_host(config)->mutable_routes(0);
}
auto* first_action(RouteConfiguration& config) {
  return first_route(config)->mutable_route();
}

constexpr const char* kRoute = "virtual_hosts[0].routes[0]";

TEST_F(RouteSupportTest, OfTables) {
  check({"",
         [](RouteConfiguration& config) { return &config; },
         {"name", "virtual_hosts", "response_headers_to_add", "response_headers_to_remove",
          "request_headers_to_add", "request_headers_to_remove",
          "most_specific_header_mutations_wins", "validate_clusters",
          "max_direct_response_body_size_bytes", "request_mirror_policies",
          "ignore_port_in_host_matching", "ignore_path_parameters_in_path_matching",
          "typed_per_filter_config", "metadata"}});
}

TEST_F(RouteSupportTest, OfVirtualHosts) {
  check({"virtual_hosts[0]",
         first_host,
         {"name", "domains", "routes", "require_tls", "rate_limits", "request_headers_to_add",
          "request_headers_to_remove", "response_headers_to_add", "response_headers_to_remove",
          "typed_per_filter_config", "include_request_attempt_count",
          "include_attempt_count_in_response", "retry_policy", "per_request_buffer_limit_bytes",
          "request_mirror_policies", "metadata"}});
}

TEST_F(RouteSupportTest, OfRoutes) {
  check({kRoute,
         first_route,
         {"name", "match", "route", "redirect", "direct_response", "metadata", "decorator",
          "typed_per_filter_config", "request_headers_to_add", "request_headers_to_remove",
          "response_headers_to_add", "response_headers_to_remove", "tracing",
          "per_request_buffer_limit_bytes", "stat_prefix"}});
}

TEST_F(RouteSupportTest, OfMatches) {
  check({std::string(kRoute) + ".match",
         [](RouteConfiguration& config) { return first_route(config)->mutable_match(); },
         {"prefix", "path", "safe_regex", "connect_matcher", "path_separated_prefix",
          "path_match_policy", "case_sensitive", "runtime_fraction", "headers", "query_parameters",
          "grpc"}});
}

TEST_F(RouteSupportTest, OfActions) {
  check({std::string(kRoute) + ".route",
         first_action,
         {"cluster",
          "cluster_header",
          "weighted_clusters",
          "cluster_not_found_response_code",
          "prefix_rewrite",
          "regex_rewrite",
          "path_rewrite_policy",
          "host_rewrite_literal",
          "auto_host_rewrite",
          "host_rewrite_header",
          "host_rewrite_path_regex",
          "append_x_forwarded_host",
          "timeout",
          "idle_timeout",
          "retry_policy",
          "request_mirror_policies",
          "priority",
          "rate_limits",
          "include_vh_rate_limits",
          "hash_policy",
          "upgrade_configs",
          "max_stream_duration",
          "max_grpc_timeout",
          "grpc_timeout_offset"}});
}

TEST_F(RouteSupportTest, OfPartsOfActions) {
  const std::string action = std::string(kRoute) + ".route.";
  check({action + "retry_policy",
         [](RouteConfiguration& config) { return first_action(config)->mutable_retry_policy(); },
         {"retry_on", "num_retries", "per_try_timeout", "per_try_idle_timeout",
          "retry_host_predicate", "host_selection_retry_max_attempts", "retriable_status_codes",
          "retry_back_off", "rate_limited_retry_back_off", "retriable_headers",
          "retriable_request_headers"}});
  check({action + "hash_policy[0]",
         [](RouteConfiguration& config) -> Message* {
           auto* parent = first_action(config);
           return parent->hash_policy_size() > 0 ? parent->mutable_hash_policy(0)
                                                 : parent->add_hash_policy();
         },
         {"header", "cookie", "connection_properties", "query_parameter", "terminal"}});
  check({action + "upgrade_configs[0]",
         [](RouteConfiguration& config) -> Message* {
           return first_action(config)->add_upgrade_configs();
         },
         {"upgrade_type", "enabled"}});
  check({action + "max_stream_duration",
         [](RouteConfiguration& config) {
           return first_action(config)->mutable_max_stream_duration();
         },
         {"max_stream_duration", "grpc_timeout_header_max", "grpc_timeout_header_offset"}});
  check({action + "request_mirror_policies[0]",
         [](RouteConfiguration& config) -> Message* {
           return first_action(config)->add_request_mirror_policies();
         },
         {"cluster", "cluster_header", "runtime_fraction", "trace_sampled",
          "disable_shadow_host_suffix_append"}});
}

TEST_F(RouteSupportTest, OfWeightedClusters) {
  const std::string path = std::string(kRoute) + ".route.weighted_clusters";
  check(
      {path,
       [](RouteConfiguration& config) { return first_action(config)->mutable_weighted_clusters(); },
       {"clusters", "total_weight", "runtime_key_prefix", "header_name"}});
  check({path + ".clusters[0]",
         [](RouteConfiguration& config) -> Message* {
           return first_action(config)->mutable_weighted_clusters()->add_clusters();
         },
         {"name", "cluster_header", "weight", "request_headers_to_add", "request_headers_to_remove",
          "response_headers_to_add", "response_headers_to_remove", "typed_per_filter_config",
          "host_rewrite_literal"}});
}

}  // namespace
}  // namespace weir::http
