#include "proxy/admin/admin.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <ctime>
#include <nlohmann/json.hpp>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"

namespace weir::admin {
namespace {

using nlohmann::json;

// An admin port of a process that only takes notes.
class AdminTest : public testing::Test {
 protected:
  AdminTest() {
    stats::Shard& shard = registry_.new_shard();
    shard.inc(registry_.counter("cluster.app.upstream_rq_total"), 3);
    registry_.counter("cluster.app.upstream_rq_timeout");
    hooks_.stats = &registry_;
    hooks_.log = &log_;
    hooks_.server = [this] { return facts_; };
    hooks_.clusters = [this] { return clusters_; };
    hooks_.listeners = [this] { return listeners_; };
    hooks_.modify_runtime = [this](const auto& values) {
      notes_ += "runtime";
      for (const auto& [key, value] : values) notes_ += " " + key + "=" + value;
      notes_ += ";";
      return true;
    };
    hooks_.runtime = [] {
      return std::vector<RuntimeLayer>{{"base", {{"a", "1"}, {"b", "\"x\""}}},
                                       {"top", {{"a", "2"}}}};
    };
    hooks_.certificates = [] {
      CertificateState leaf;
      leaf.path = "/tls.crt";
      leaf.facts.serial = "7b";
      leaf.facts.dns_sans = {"a.example.com"};
      leaf.facts.not_after_s = std::time(nullptr) + 3 * 86400 + 60;
      CertificateState root;
      root.authority = true;
      return std::vector<CertificateState>{leaf, root};
    };
    hooks_.hot_restart_version = [] { return std::string("1"); };
    hooks_.drain_listeners = [this](const DrainRequest& drain) {
      note(std::string("drain") + (drain.graceful ? " graceful" : "") +
           (drain.skip_exit ? " skip_exit" : "") + (drain.inbound_only ? " inbound" : ""));
    };
    hooks_.fail_health_checks = [this](bool failing) { note(failing ? "fail" : "pass"); };
    hooks_.reopen_logs = [this] { note("reopen"); };
    hooks_.quit = [this] { note("quit"); };
    facts_.version = "weir/1.2.3";
    facts_.uptime_s = 61;
    facts_.drain_time_s = 600;
    facts_.concurrency = 4;
    clusters_.push_back(example_cluster());
    listeners_.push_back(
        {"edge",
         {net::Address::ip("127.0.0.1", 8080).take(), net::Address::ip("::1", 8080).take()}});
  }

  static ClusterState example_cluster() {
    ClusterState cluster;
    cluster.name = cluster.observability_name = "app";
    EndpointState endpoint;
    endpoint.address = net::Address::ip("10.0.0.1", 80).take();
    endpoint.hostname = "app.internal";
    endpoint.zone = "z1";
    endpoint.rq_total = 9;
    cluster.endpoints.push_back(endpoint);
    endpoint.address = net::Address::unix_path("/run/app.sock").take();
    endpoint.failed_active_health_check = endpoint.failed_outlier_check = true;
    cluster.endpoints.push_back(endpoint);
    return cluster;
  }

  void note(const std::string& what) { notes_ += what + ";"; }
  AdminResponse get(std::string_view target) { return send("GET", target); }
  AdminResponse post(std::string_view target) { return send("POST", target); }
  AdminResponse send(std::string_view method, std::string_view target) {
    return Admin(hooks_).handle(make_admin_request(method, target, "127.0.0.1:9901", ""));
  }

  stats::Registry registry_;
  Logger log_;
  ServerFacts facts_;
  std::vector<ClusterState> clusters_;
  std::vector<ListenerState> listeners_;
  AdminHooks hooks_;
  std::string notes_;
};

TEST_F(AdminTest, ReadyTellsTheState) {
  EXPECT_EQ(get("/ready").status, 200);
  EXPECT_EQ(get("/ready").body, "LIVE\n");
  facts_.state = ServerState::kDraining;
  EXPECT_EQ(get("/ready").status, 503);
  EXPECT_EQ(get("/ready").body, "DRAINING\n");
}

TEST_F(AdminTest, HomePageLinksReadsAndButtonsChanges) {
  const AdminResponse page = get("/");
  EXPECT_EQ(page.content_type, "text/html; charset=UTF-8");
  EXPECT_NE(page.body.find("<a href=\"/stats\">"), std::string::npos);
  EXPECT_NE(page.body.find("<form method=\"post\" action=\"/quitquitquit\">"), std::string::npos);
  EXPECT_EQ(page.body.find("<a href=\"/quitquitquit\">"), std::string::npos);
}

TEST_F(AdminTest, UnknownPathsGetTheList) {
  const AdminResponse response = get("/nonsense");
  EXPECT_EQ(response.status, 404);
  EXPECT_NE(response.body.find("/stats/prometheus: "), std::string::npos);
  EXPECT_EQ(get("/help").status, 200);
}

TEST_F(AdminTest, ReadingNeverChangesAnything) {
  for (const char* path : {"/drain_listeners", "/healthcheck/fail", "/healthcheck/ok",
                           "/quitquitquit", "/reopen_logs", "/logging?level=trace"}) {
    for (const char* method : {"GET", "HEAD"}) {
      const AdminResponse response = send(method, path);
      EXPECT_EQ(response.status, 405) << path;
      EXPECT_EQ(response.allow, "POST") << path;
    }
  }
  EXPECT_EQ(notes_, "");
  EXPECT_EQ(log_.level(Component::kMain), LogLevel::kInfo);
  EXPECT_EQ(send("DELETE", "/ready").status, 405);
}

TEST_F(AdminTest, ForeignPagesAreRefused) {
  const Admin admin(hooks_);
  EXPECT_EQ(admin.handle(make_admin_request("POST", "/quitquitquit", "evil.example", "")).status,
            403);
  EXPECT_EQ(admin
                .handle(make_admin_request("POST", "/quitquitquit", "127.0.0.1:9901",
                                           "https://evil.example"))
                .status,
            403);
  EXPECT_EQ(notes_, "");
}

TEST_F(AdminTest, ChangesReachTheProcess) {
  EXPECT_EQ(post("/drain_listeners").body, "OK\n");
  post("/drain_listeners?graceful&skip_exit&inboundonly");
  EXPECT_EQ(post("/drain_listeners?skip_exit").status, 400);
  post("/healthcheck/fail");
  post("/healthcheck/ok");
  post("/reopen_logs");
  EXPECT_EQ(post("/runtime_modify").status, 400);
  EXPECT_EQ(post("/runtime_modify?a.b=1&c=").body, "OK\n");
  post("/quitquitquit");
  EXPECT_EQ(notes_,
            "drain;drain graceful skip_exit inbound;fail;pass;reopen;runtime a.b=1 c=;quit;");
}

TEST_F(AdminTest, Logging) {
  EXPECT_NE(get("/logging").body.find("  upstream: info\n"), std::string::npos);
  EXPECT_NE(post("/logging?upstream=debug").body.find("  upstream: debug\n"), std::string::npos);
  EXPECT_EQ(log_.level(Component::kMain), LogLevel::kInfo);
  post("/logging?level=warning");
  EXPECT_EQ(log_.level(Component::kUpstream), LogLevel::kWarning);
  post("/logging?paths=http:trace,main:off");
  EXPECT_EQ(log_.level(Component::kHttp), LogLevel::kTrace);
  EXPECT_EQ(post("/logging?nose=info").status, 400);
  EXPECT_EQ(post("/logging?level=loud").status, 400);
}

TEST_F(AdminTest, Stats) {
  EXPECT_EQ(get("/stats").body,
            "cluster.app.upstream_rq_timeout: 0\ncluster.app.upstream_rq_total: 3\n");
  EXPECT_EQ(get("/stats?usedonly&filter=rq_t").body, "cluster.app.upstream_rq_total: 3\n");
  const json stats = json::parse(get("/stats?format=json&filter=total%24").body)["stats"];
  EXPECT_EQ(stats[0]["value"], 3);
  for (const char* target : {"/stats/prometheus", "/stats?format=prometheus"}) {
    const AdminResponse response = get(target);
    EXPECT_NE(response.body.find("envoy_cluster_upstream_rq_total{envoy_cluster_name=\"app\"} 3"),
              std::string::npos);
    EXPECT_EQ(response.content_type, "text/plain; version=0.0.4; charset=utf-8");
  }
  EXPECT_EQ(get("/stats?filter=(").status, 400);
  EXPECT_EQ(get("/stats?format=xml").status, 400);
}

TEST_F(AdminTest, StatsAreRefreshedBeforeTheyAreRead) {
  const stats::GaugeId gauge = registry_.gauge("looked.at");
  int64_t looks = 0;
  hooks_.refresh_stats = [&] { registry_.set(gauge, ++looks); };
  EXPECT_NE(get("/stats?filter=looked").body.find("looked.at: 1"), std::string::npos);
  EXPECT_NE(get("/stats?format=json&filter=looked").body.find("\"value\":2"), std::string::npos);
  EXPECT_NE(get("/stats?format=prometheus&filter=looked").body.find(" 3"), std::string::npos);
  EXPECT_NE(get("/stats/prometheus?filter=looked").body.find(" 4"), std::string::npos);
}

TEST_F(AdminTest, ClustersAsText) {
  const std::string text = get("/clusters").body;
  for (const char* line :
       {"app::observability_name::app\n", "app::default_priority::max_connections::1024\n",
        "app::high_priority::max_retries::3\n", "app::added_via_api::false\n",
        "app::10.0.0.1:80::rq_total::9\n", "app::10.0.0.1:80::hostname::app.internal\n",
        "app::10.0.0.1:80::health_flags::healthy\n", "app::10.0.0.1:80::zone::z1\n",
        "app::/run/app.sock::health_flags::/failed_active_hc/failed_outlier_check\n"})
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
}

TEST_F(AdminTest, ClustersAsJson) {
  const json app = json::parse(get("/clusters?format=json").body)["cluster_statuses"][0];
  EXPECT_EQ(app["name"], "app");
  const json& host = app["host_statuses"][0];
  EXPECT_EQ(host["address"]["socket_address"]["address"], "10.0.0.1");
  EXPECT_EQ(host["address"]["socket_address"]["port_value"], 80);
  EXPECT_EQ(host["stats"][7]["name"], "rq_total");
  EXPECT_EQ(host["stats"][7]["value"], "9");
  EXPECT_EQ(host["health_status"]["eds_health_status"], "HEALTHY");
  EXPECT_EQ(app["host_statuses"][1]["address"]["pipe"]["path"], "/run/app.sock");
  EXPECT_EQ(app["circuit_breakers"]["thresholds"][1]["priority"], "HIGH");
}

TEST_F(AdminTest, Listeners) {
  EXPECT_EQ(get("/listeners").body, "edge::127.0.0.1:8080\nedge::[::1]:8080\n");
  const json edge = json::parse(get("/listeners?format=json").body)["listener_statuses"][0];
  EXPECT_EQ(edge["local_address"]["socket_address"]["port_value"], 8080);
  EXPECT_EQ(edge["additional_local_addresses"][0]["socket_address"]["address"], "::1");
}

TEST_F(AdminTest, ServerInfo) {
  const json info = json::parse(get("/server_info").body);
  EXPECT_EQ(info["version"], "weir/1.2.3");
  EXPECT_EQ(info["state"], "LIVE");
  EXPECT_EQ(info["uptime_current_epoch"], "61s");
  EXPECT_EQ(info["command_line_options"]["concurrency"], 4);
  EXPECT_EQ(info["command_line_options"]["drain_time"], "600s");
  EXPECT_EQ(info["command_line_options"]["drain_strategy"], "Gradual");
}

TEST_F(AdminTest, RuntimeMemoryCertsAndVersion) {
  const json runtime = json::parse(get("/runtime").body);
  EXPECT_EQ(runtime["layers"][1], "top");
  EXPECT_EQ(runtime["entries"]["a"]["final_value"], "2");
  EXPECT_EQ(runtime["entries"]["b"]["layer_values"][0], "\"x\"");
  EXPECT_EQ(runtime["entries"]["b"]["layer_values"][1], "");
  const json memory = json::parse(get("/memory").body);
  EXPECT_GT(std::stoull(memory["total_physical_bytes"].get<std::string>()), 100'000u);
  // A sanitizer's allocator tells nothing.
  if (mallinfo2().uordblks > 0) {
    EXPECT_GT(std::stoull(memory["allocated"].get<std::string>()), 1'000u);
  }
  const json certs = json::parse(get("/certs").body)["certificates"];
  const json& leaf = certs[0]["cert_chain"][0];
  EXPECT_EQ(leaf["path"], "/tls.crt");
  EXPECT_EQ(leaf["serial_number"], "7b");
  EXPECT_EQ(leaf["days_until_expiration"], "3");
  EXPECT_EQ(leaf["subject_alt_names"][0]["dns"], "a.example.com");
  const json& root = certs[1]["ca_cert"][0];
  EXPECT_EQ(root["path"], "<inline>");
  EXPECT_EQ(root["days_until_expiration"], "0") << "long gone";
  EXPECT_EQ(get("/hot_restart_version").body, "1\n");
}

TEST_F(AdminTest, ConfigDump) {
  EXPECT_EQ(get("/config_dump").status, 501);
  auto bootstrap = std::make_shared<envoy::config::bootstrap::v3::Bootstrap>();
  bootstrap->mutable_node()->set_id("n1");
  hooks_.bootstrap = [bootstrap] { return bootstrap; };
  const json dump = json::parse(get("/config_dump").body);
  EXPECT_EQ(dump["configs"][0]["bootstrap"]["node"]["id"], "n1");
  EXPECT_EQ(get("/config_dump?resource=nothing").status, 404);
  EXPECT_EQ(get("/config_dump?mask=a").status, 400);
  EXPECT_EQ(json::parse(get("/server_info").body)["node"]["id"], "n1");
}

TEST_F(AdminTest, WhatTheProcessDoesNotOfferIsSaid) {
  hooks_ = AdminHooks{.stats = &registry_, .log = &log_};
  for (const char* path : {"/clusters", "/listeners", "/ready", "/runtime", "/server_info"})
    EXPECT_EQ(get(path).status, 501) << path;
  for (const char* path : {"/drain_listeners", "/healthcheck/fail", "/reopen_logs"})
    EXPECT_EQ(post(path).status, 501) << path;
}

}  // namespace
}  // namespace weir::admin
