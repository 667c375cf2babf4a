#include "config/bootstrap.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <string>

#include "config/diagnostic_format.h"
#include "config/resolve.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"

namespace weir::config {
namespace {

using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

// A file that is removed at the end of its test.
class TemporaryFile {
 public:
  explicit TemporaryFile(const std::string& text, const std::string& suffix = ".yaml")
      : path_(testing::TempDir() + "bootstrap_test" + suffix) {
    std::ofstream(path_, std::ios::binary) << text;
  }
  ~TemporaryFile() { std::remove(path_.c_str()); }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

struct Result {
  Diagnostics diagnostics;
  BootstrapPtr bootstrap;

  // What is reported, without the folder of temporary files.
  std::string text() const {
    std::string text = format_text(diagnostics, false);
    const std::string folder = testing::TempDir();
    for (std::size_t at = 0; (at = text.find(folder)) != std::string::npos;) {
      text.erase(at, folder.size());
    }
    return text;
  }
  bool says(std::string_view what) const { return text().find(what) != std::string::npos; }
};

Result load(const LoadOptions& options) {
  Result result;
  MessageCheck check(default_support());
  result.bootstrap = load_bootstrap(options, check, result.diagnostics);
  return result;
}

Result load_text(const std::string& yaml) {
  const TemporaryFile file(yaml);
  LoadOptions options;
  options.config_path = file.path();
  return load(options);
}

// A whole gateway with the given virtual hosts.
std::string gateway(const std::string& virtual_hosts) {
  return R"(
static_resources:
  listeners:
  - name: main
    address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: ingress
          http_filters:
          - name: envoy.filters.http.router
            typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}
          route_config:
            name: local
            virtual_hosts: )" +
         virtual_hosts + R"(
  clusters:
  - name: c
    connect_timeout: 1s
    load_assignment:
      cluster_name: c
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: 9000}}}
)";
}

TEST(Bootstrap, LoadsAGateway) {
  const Result result = load_text(
      gateway("[{name: a, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: c}}]}]"));
  ASSERT_NE(result.bootstrap, nullptr) << result.text();
  EXPECT_EQ(result.text(), "");
  const auto& resources = result.bootstrap->static_resources();
  EXPECT_EQ(resources.clusters(0).name(), "c");
  HttpConnectionManager manager;
  ASSERT_TRUE(resources.listeners(0).filter_chains(0).filters(0).typed_config().UnpackTo(&manager));
  EXPECT_EQ(manager.route_config().virtual_hosts(0).routes(0).route().cluster(), "c");
}

TEST(Bootstrap, ReportsAllKindsOfErrorsAtOnceInTheOrderOfTheText) {
  const Result result = load_text(gateway(R"(
            - name: a
              domains: []
              rutes: []
            - name: b
              domains: ["*"]
              routes:
              - match: {prefix: /}
                route: {cluster: c, timeout: 250ms}
              - match: {prefix: /}
                direct_response: {status: 99}
              - match: {prefix: /, tls_context: {}}
                redirect: {}
)"));
  EXPECT_EQ(result.bootstrap, nullptr);
  std::vector<Code> codes;
  int line = 0;
  for (const Diagnostic& item : result.diagnostics.items()) {
    codes.push_back(item.code);
    EXPECT_GT(item.line, line);
    line = item.line;
  }
  EXPECT_EQ(codes, (std::vector<Code>{Code::kConstraint, Code::kUnknownField, Code::kWrongType,
                                      Code::kConstraint, Code::kNotSupported}))
      << result.text();
  EXPECT_TRUE(result.says("bootstrap_test.yaml:27:43: error: 'status' must be >= 200 and < 600"));
}

TEST(Bootstrap, PlacesErrorsThatAreFoundLater) {
  Result result = load_text(
      gateway("[{name: a, domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: d}}]}]"));
  ASSERT_NE(result.bootstrap, nullptr) << result.text();
  result.diagnostics.error(Code::kReference,
                           "static_resources.listeners[0].filter_chains[0].filters[0].typed_config."
                           "route_config.virtual_hosts[0].routes[0].route.cluster",
                           "there is no cluster 'd'");
  resolve_positions(result.diagnostics);
  EXPECT_TRUE(result.says("bootstrap_test.yaml:17:102: error: there is no cluster 'd'"))
      << result.text();
}

TEST(Bootstrap, MergesAnOverlay) {
  const TemporaryFile file(
      "node: {id: a, cluster: b}\nadmin: {address: {socket_address: "
      "{address: 127.0.0.1, port_value: 1}}}\n");
  LoadOptions options;
  options.config_path = file.path();
  options.config_yaml =
      "node: {cluster: c}\nadmin: {address: {socket_address: {address: ::1, port_value: 2}}}\n"
      "static_resources: {clusters: [{name: x, connect_timeout: 1s}]}";
  const Result result = load(options);
  ASSERT_NE(result.bootstrap, nullptr) << result.text();
  EXPECT_EQ(result.bootstrap->node().id(), "a");
  EXPECT_EQ(result.bootstrap->node().cluster(), "c");
  EXPECT_EQ(result.bootstrap->admin().address().socket_address().port_value(), 2u);
  EXPECT_EQ(result.bootstrap->static_resources().clusters_size(), 1);
}

TEST(Bootstrap, JoinsTheListsOfAnOverlay) {
  const TemporaryFile file("static_resources: {clusters: [{name: a, connect_timeout: 1s}]}");
  LoadOptions options;
  options.config_path = file.path();
  options.config_yaml = "static_resources: {clusters: [{name: b, connect_timeout: 0s}]}";
  const Result result = load(options);
  EXPECT_EQ(result.bootstrap, nullptr);
  EXPECT_TRUE(result.says("--config-yaml:1:58: error: 'connect_timeout' must be > 0s (is 0s)"))
      << result.text();
}

// Within an Any too, whose content is checked before the lists are joined.
TEST(Bootstrap, PlacesWhatIsWrongInAnOverlayThere) {
  const auto cluster = [](const std::string& name, const std::string& http2) {
    return "static_resources:\n  clusters:\n  - name: " + name +
           "\n    typed_extension_protocol_options:\n"
           "      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:\n"
           "        \"@type\": type.googleapis.com/"
           "envoy.extensions.upstreams.http.v3.HttpProtocolOptions\n"
           "        explicit_http_config: {http2_protocol_options: {" +
           http2 + "}}\n";
  };
  const TemporaryFile file("# A line more.\n" + cluster("a", "max_concurrent_streams: 0"));
  LoadOptions options;
  options.config_path = file.path();
  options.config_yaml = cluster("b", "initial_stream_window_size: 1, allow_metadata: true");
  const Result result = load(options);
  EXPECT_EQ(result.diagnostics.error_count(), 3u) << result.text();
  EXPECT_TRUE(result.says("bootstrap_test.yaml:8:81: error: 'max_concurrent_streams' must be "))
      << result.text();
  EXPECT_TRUE(result.says("--config-yaml:7:85: error: 'initial_stream_window_size' must be "));
  EXPECT_TRUE(result.says("--config-yaml:7:104: error: 'allow_metadata' of "));
}

TEST(Bootstrap, TakesTheNodeFromTheCommandLine) {
  LoadOptions options;
  options.config_yaml = "node: {id: a, cluster: b}";
  options.service_cluster = "edge";
  options.service_node = "n1";
  options.service_zone = "z";
  const Result result = load(options);
  ASSERT_NE(result.bootstrap, nullptr) << result.text();
  EXPECT_EQ(result.bootstrap->node().id(), "n1");
  EXPECT_EQ(result.bootstrap->node().cluster(), "edge");
  EXPECT_EQ(result.bootstrap->node().locality().zone(), "z");
}

TEST(Bootstrap, ReadsJson) {
  const TemporaryFile file(R"({"node": {"id": "a", "metadata": {"f": 1.5}}})", ".json");
  LoadOptions options;
  options.config_path = file.path();
  const Result result = load(options);
  ASSERT_NE(result.bootstrap, nullptr) << result.text();
  EXPECT_EQ(result.bootstrap->node().metadata().fields().at("f").number_value(), 1.5);
}

TEST(Bootstrap, WarnsOfUnknownFieldsOnDemand) {
  LoadOptions options;
  options.config_yaml = "node: {id: a, future: 1}";
  EXPECT_EQ(load(options).bootstrap, nullptr);
  options.allow_unknown_static_fields = true;
  const Result result = load(options);
  EXPECT_NE(result.bootstrap, nullptr);
  EXPECT_TRUE(result.says("--config-yaml:1:15: warning: unknown field 'future'"));
}

TEST(Bootstrap, ExplainsFilesThatCannotBeRead) {
  LoadOptions options;
  EXPECT_TRUE(load(options).says("error: no configuration is given [io]\nhint: give a file"));
  options.config_path = testing::TempDir() + "no_such_file.yaml";
  EXPECT_TRUE(load(options).says("no_such_file.yaml: error: cannot be opened: No such file"));
  options.config_path = testing::TempDir();
  EXPECT_TRUE(load(options).says("error: is a directory, not a file [io]"));
  EXPECT_TRUE(load_text("").says("error: the configuration is empty [syntax]"));
  EXPECT_TRUE(load_text("# nothing\n").says("error: the configuration is empty [syntax]"));
  EXPECT_TRUE(
      load_text("- a").says("error: expected a mapping of the fields of envoy.config."
                            "bootstrap.v3.Bootstrap, got a list [wrong-type]"));
}

TEST(Bootstrap, BoundsWhatAFileMayCost) {
  const TemporaryFile file("node: {id: a}");
  LoadOptions options;
  options.config_path = file.path();
  options.limits.max_bytes = 5;
  EXPECT_TRUE(load(options).says("error: has more than the 5 bytes allowed [limit]"));
}

TEST(Bootstrap, BoundsWhatManyErrorsMayCost) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += "unknown" + std::to_string(i) + ": 1\n";
  const std::clock_t start = std::clock();
  const Result result = load_text(text);
  EXPECT_LT(std::clock() - start, 15 * CLOCKS_PER_SEC) << "minutes when each error is placed";
  EXPECT_EQ(result.diagnostics.error_count(), 200'000u);
  EXPECT_TRUE(result.says("and 199800 more"));
}

TEST(Bootstrap, LoadsTenThousandHosts) {
  std::string hosts;
  for (int i = 0; i < 10'000; ++i) {
    const std::string n = std::to_string(i);
    hosts += "\n            - name: h" + n + "\n              domains: [h" + n +
             ".example.com]\n              routes:\n              - match: {prefix: /}\n" +
             "                route: {cluster: c}";
  }
  const Result result = load_text(gateway(hosts));
  ASSERT_NE(result.bootstrap, nullptr) << result.text();
  HttpConnectionManager manager;
  const auto& listener = result.bootstrap->static_resources().listeners(0);
  ASSERT_TRUE(listener.filter_chains(0).filters(0).typed_config().UnpackTo(&manager));
  EXPECT_EQ(manager.route_config().virtual_hosts_size(), 10'000);
}

}  // namespace
}  // namespace weir::config
