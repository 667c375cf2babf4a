#include "proxy/admin/config_dump.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/transport_sockets/tls/v3/tls.pb.h"
#include "proxy/admin/redact.h"

namespace weir::admin {
namespace {

using envoy::config::bootstrap::v3::Bootstrap;
using nlohmann::json;

Bootstrap example() {
  Bootstrap out;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"pb(
        node { id: "n1" }
        static_resources {
          listeners {
            name: "edge"
            filter_chains {
              filters {
                name: "hcm"
                typed_config {
                  [type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3
                       .HttpConnectionManager] {
                    route_config {
                      name: "routes"
                      virtual_hosts { name: "all" domains: "*" }
                    }
                  }
                }
              }
            }
          }
          clusters {
            name: "app"
            load_assignment { cluster_name: "app" }
          }
          clusters { name: "db" }
          secrets {
            name: "server"
            tls_certificate {
              certificate_chain { inline_string: "PUBLIC" }
              private_key { inline_string: "TOP-SECRET" }
              password { inline_bytes: "TOP-SECRET" }
            }
          }
        }
      )pb",
      &out));
  // The same secret once more, within an Any.
  envoy::extensions::transport_sockets::tls::v3::DownstreamTlsContext context;
  *context.mutable_common_tls_context()->add_tls_certificates() =
      out.static_resources().secrets(0).tls_certificate();
  out.mutable_static_resources()
      ->mutable_listeners(0)
      ->mutable_filter_chains(0)
      ->mutable_transport_socket()
      ->mutable_typed_config()
      ->PackFrom(context);
  return out;
}

json dump(const ConfigDumpQuery& query, std::vector<DynamicResource> dynamic = {},
          std::vector<ClusterState> clusters = {}) {
  const Bootstrap bootstrap = example();
  const Result<std::string> text =
      config_dump_json({bootstrap, 1'767'323'045, dynamic, clusters, "c7", "l7"}, query);
  EXPECT_TRUE(text.ok()) << (text.ok() ? "" : text.error().message);
  return text ? json::parse(*text) : json();
}

TEST(ConfigDumpTest, HasEnvoysParts) {
  const json configs = dump({})["configs"];
  std::vector<std::string> types;
  for (const auto& config : configs) types.push_back(config["@type"]);
  const std::string prefix = "type.googleapis.com/envoy.admin.v3.";
  EXPECT_EQ(types,
            (std::vector<std::string>{prefix + "BootstrapConfigDump", prefix + "ClustersConfigDump",
                                      prefix + "ListenersConfigDump", prefix + "RoutesConfigDump",
                                      prefix + "SecretsConfigDump"}));
  EXPECT_EQ(configs[0]["bootstrap"]["node"]["id"], "n1");
  EXPECT_EQ(configs[0]["last_updated"], "2026-01-02T03:04:05Z");
  EXPECT_EQ(configs[1]["static_clusters"][1]["cluster"]["name"], "db");
  EXPECT_EQ(configs[3]["static_route_configs"][0]["route_config"]["name"], "routes");
}

TEST(ConfigDumpTest, ResourcesNamesAndEndpoints) {
  const json clusters = dump({.resource = "static_clusters", .name_regex = "d."})["configs"];
  ASSERT_EQ(clusters.size(), 1u);
  EXPECT_EQ(clusters[0]["cluster"]["name"], "db");
  EXPECT_EQ(dump({.include_eds = true})["configs"].size(), 6u);
}

TEST(ConfigDumpTest, BadQueriesAreErrors) {
  const Bootstrap bootstrap = example();
  const auto code_of = [&](const ConfigDumpQuery& query) {
    return config_dump_json({bootstrap}, query).error().code;
  };
  EXPECT_EQ(code_of({.resource = "nothing"}), "not-found");
  EXPECT_EQ(code_of({.resource = "static_endpoint_configs"}), "not-found") << "not asked for";
  EXPECT_EQ(code_of({.resource = "bootstrap"}), "bad-query") << "no list";
  EXPECT_EQ(code_of({.name_regex = "("}), "bad-query");
  EXPECT_EQ(code_of({.mask = "nothing"}), "bad-query");
  EXPECT_EQ(code_of({.resource = "static_clusters", .mask = "cluster.nothing"}), "bad-query");
}

TEST(ConfigDumpTest, AMaskIsForThePartsThatItFits) {
  const json whole = dump({.mask = "bootstrap.node"})["configs"];
  ASSERT_EQ(whole.size(), 1u);
  EXPECT_EQ(whole[0]["bootstrap"], json({{"node", {{"id", "n1"}}}}));
  EXPECT_FALSE(whole[0].contains("last_updated"));
  EXPECT_EQ(dump({.mask = "version_info"})["configs"].size(), 2u) << "of clusters and listeners";
}

TEST(ConfigDumpTest, AMaskOfAListIsForItsEntries) {
  const json clusters = dump({.resource = "static_clusters", .mask = "cluster.name"})["configs"];
  ASSERT_EQ(clusters.size(), 2u);
  EXPECT_EQ(clusters[1]["cluster"]["name"], "db");
  EXPECT_FALSE(clusters[0]["cluster"].contains("load_assignment"));
  EXPECT_FALSE(clusters[0].contains("last_updated"));
  const json both =
      dump({.resource = "static_clusters", .mask = "cluster.name,last_updated"})["configs"];
  EXPECT_TRUE(both[0].contains("last_updated"));
}

TEST(ConfigDumpTest, VersionsOfWholeAnswers) {
  const json configs = dump({})["configs"];
  EXPECT_EQ(configs[1]["version_info"], "c7");
  EXPECT_EQ(configs[2]["version_info"], "l7");
}

TEST(ConfigDumpTest, EndpointsAreAsTheyAreInUse) {
  EndpointState near, far, ill;
  near.address = net::Address::ip("10.0.0.1", 80).value();
  near.zone = far.zone = "a";
  near.locality_weight = 3;
  near.weight = 5;
  far.address = net::Address::ip("10.0.0.2", 80).value();
  far.priority = 1;
  far.degraded = true;
  ill.address = net::Address::ip("10.0.0.3", 80).value();
  ill.zone = "a";
  ill.failed_active_health_check = true;
  const ClusterState app{
      .name = "app", .drops = {{"throttle", 250'000}}, .endpoints = {near, far, ill}};
  const ClusterState sent{
      .name = "sent", .eds_service_name = "service", .added_via_api = true, .endpoints = {near}};
  envoy::config::endpoint::v3::ClusterLoadAssignment assignment;
  auto content = std::make_shared<google::protobuf::Any>();
  content->PackFrom(assignment);
  const DynamicResource resource{.type_url = content->type_url(),
                                 .name = "service",
                                 .version = "e3",
                                 .updated_s = 60,
                                 .content = content,
                                 .state = "ACKED"};
  const json endpoints =
      dump({.include_eds = true, .mask = "static_endpoint_configs,dynamic_endpoint_configs"},
           {resource}, {app, sent})["configs"][0];
  const json own = endpoints["static_endpoint_configs"][0]["endpoint_config"];
  EXPECT_EQ(own["cluster_name"], "app");
  EXPECT_EQ(own["policy"]["overprovisioning_factor"], 140);
  const json drop = own["policy"]["drop_overloads"][0];
  EXPECT_EQ(drop["category"], "throttle");
  EXPECT_EQ(drop["drop_percentage"]["numerator"], 250'000);
  EXPECT_EQ(drop["drop_percentage"]["denominator"], "MILLION");
  ASSERT_EQ(own["endpoints"].size(), 2u);
  EXPECT_EQ(own["endpoints"][0]["load_balancing_weight"], 3);
  EXPECT_EQ(own["endpoints"][0]["locality"]["zone"], "a");
  const json first = own["endpoints"][0]["lb_endpoints"];
  ASSERT_EQ(first.size(), 2u);
  EXPECT_EQ(first[0]["endpoint"]["address"]["socket_address"]["address"], "10.0.0.1");
  EXPECT_EQ(first[0]["health_status"], "HEALTHY");
  EXPECT_EQ(first[0]["load_balancing_weight"], 5);
  EXPECT_EQ(first[1]["health_status"], "UNHEALTHY");
  EXPECT_EQ(own["endpoints"][1]["priority"], 1);
  EXPECT_EQ(own["endpoints"][1]["lb_endpoints"][0]["health_status"], "DEGRADED");
  const json dynamic = endpoints["dynamic_endpoint_configs"][0];
  EXPECT_EQ(dynamic["endpoint_config"]["cluster_name"], "service");
  EXPECT_EQ(dynamic["version_info"], "e3");
  EXPECT_EQ(dynamic["client_status"], "ACKED");
  const json named =
      dump({.include_eds = true, .resource = "static_endpoint_configs", .name_regex = "a.*"}, {},
           {app})["configs"];
  EXPECT_EQ(named.size(), 1u);
}

TEST(ConfigDumpTest, NoSecretIsPrintedAnywhere) {
  const Bootstrap bootstrap = example();
  const std::string text = config_dump_json({bootstrap}, {}).value();
  EXPECT_EQ(text.find("TOP-SECRET"), std::string::npos);
  EXPECT_EQ(text.find("VE9QLVNFQ1JFVA"), std::string::npos) << "as base64";
  EXPECT_NE(text.find("[redacted]"), std::string::npos);
  EXPECT_NE(text.find("PUBLIC"), std::string::npos);
}

TEST(RedactTest, UnknownContentIsEmptied) {
  google::protobuf::Any any;
  any.set_type_url("type.googleapis.com/no.such.Type");
  any.set_value("TOP-SECRET");
  redact(any);
  EXPECT_EQ(any.ByteSizeLong(), 0u);
}

DynamicResource resource(const google::protobuf::Message& message, std::string name) {
  auto content = std::make_shared<google::protobuf::Any>();
  content->PackFrom(message);
  return {.type_url = content->type_url(),
          .name = std::move(name),
          .version = "v7",
          .updated_s = 60,
          .content = content,
          .state = "ACKED"};
}

TEST(ConfigDump, ShowsWhatControlPlanesSent) {
  envoy::config::cluster::v3::Cluster cluster;
  cluster.set_name("sent");
  envoy::config::listener::v3::Listener listener;
  listener.set_name("front");
  envoy::extensions::transport_sockets::tls::v3::Secret secret;
  secret.mutable_tls_certificate()->mutable_private_key()->set_inline_string("TOP-SECRET");
  std::vector<DynamicResource> sent = {resource(cluster, "sent"), resource(cluster, "sent"),
                                       resource(listener, "front"), resource(secret, "cert")};
  sent[1].warming = true;
  sent[2].error = "address: the listener has no address";
  sent[2].rejected_version = "v8";
  sent[2].rejected_ms = 90'000;
  sent[2].state = "NACKED";
  // Nothing of it is in force.
  sent.push_back({.type_url = sent[2].type_url,
                  .name = "odd",
                  .state = "NACKED",
                  .error = "it is odd",
                  .rejected_version = "v9"});
  const Bootstrap bootstrap = example();
  const std::string text = config_dump_json({bootstrap, 0, sent}, {}).value();
  EXPECT_EQ(text.find("TOP-SECRET"), std::string::npos);
  const json configs = json::parse(text)["configs"];
  const auto list = [&](const std::string& name) {
    for (const json& dump : configs)
      if (dump.contains(name)) return dump[name];
    return json();
  };
  EXPECT_EQ(list("dynamic_active_clusters")[0]["version_info"], "v7");
  EXPECT_EQ(list("dynamic_warming_clusters")[0]["cluster"]["name"], "sent");
  EXPECT_EQ(list("dynamic_active_secrets")[0]["name"], "cert");
  const json front = list("dynamic_listeners")[0];
  EXPECT_EQ(front["active_state"]["last_updated"], "1970-01-01T00:01:00Z");
  EXPECT_EQ(front["error_state"]["details"], "address: the listener has no address");
  EXPECT_EQ(front["error_state"]["version_info"], "v8");
  EXPECT_EQ(front["error_state"]["last_update_attempt"], "1970-01-01T00:01:30Z");
  EXPECT_EQ(front["client_status"], "NACKED");
  EXPECT_EQ(list("dynamic_active_clusters")[0]["client_status"], "ACKED");
  const json odd = list("dynamic_listeners")[1];
  EXPECT_EQ(odd["name"], "odd");
  EXPECT_EQ(odd["error_state"]["details"], "it is odd");
  EXPECT_FALSE(odd.contains("active_state"));
}

}  // namespace
}  // namespace weir::admin
