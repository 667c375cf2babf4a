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

json dump(const ConfigDumpQuery& query) {
  const Result<std::string> text = config_dump_json(example(), 1'767'323'045, {}, query);
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
  EXPECT_EQ(dump({.resource = "bootstrap"})["configs"][0]["node"]["id"], "n1");
}

TEST(ConfigDumpTest, BadQueriesAreErrors) {
  EXPECT_EQ(config_dump_json(example(), 0, {}, {.resource = "nothing"}).error().code, "bad-query");
  EXPECT_EQ(config_dump_json(example(), 0, {}, {.name_regex = "("}).error().code, "bad-query");
}

TEST(ConfigDumpTest, NoSecretIsPrintedAnywhere) {
  const std::string text = config_dump_json(example(), 0, {}, {}).value();
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
  return {.name = std::move(name), .version = "v7", .updated_s = 60, .content = content};
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
  const std::string text = config_dump_json(example(), 0, sent, {}).value();
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
}

}  // namespace
}  // namespace weir::admin
