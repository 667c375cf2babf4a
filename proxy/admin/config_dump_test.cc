#include "proxy/admin/config_dump.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

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
  const Result<std::string> text = config_dump_json(example(), 1'767'323'045, query);
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
  EXPECT_EQ(config_dump_json(example(), 0, {.resource = "nothing"}).error().code, "bad-query");
  EXPECT_EQ(config_dump_json(example(), 0, {.name_regex = "("}).error().code, "bad-query");
}

TEST(ConfigDumpTest, NoSecretIsPrintedAnywhere) {
  const std::string text = config_dump_json(example(), 0, {}).value();
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

}  // namespace
}  // namespace weir::admin
