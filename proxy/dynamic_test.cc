// Stores of the main thread, fed from files. The workers do not run: what is posted to them waits.
#include <gtest/gtest.h>
#include <stdlib.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "config/bootstrap.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "filters/registry.h"
#include "proxy/clusters.h"
#include "proxy/control_planes.h"
#include "proxy/listeners.h"
#include "proxy/net/testing/loop_thread.h"
#include "proxy/net/testing/raw_socket.h"
#include "proxy/runtime_layers.h"

namespace weir {
namespace {

namespace core = envoy::config::core::v3;

config::MessageCheck new_check() {
  config::Support support = config::default_support();
  support.add(filters::own_messages());
  return config::MessageCheck(std::move(support));
}

// A folder of its own, gone at the end.
class Folder {
 public:
  Folder() {
    // A socket's path is short.
    std::string name = "/tmp/weir-dynamic-XXXXXX";
    path_ = mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }

  std::string path(const std::string& name) const { return path_ + "/" + name; }
  // Moved into place, as a file that is watched has to be.
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path("new")) << text;
    std::rename(path("new").c_str(), path(name).c_str());
  }

 private:
  std::string path_;
};

// The stores, as the server puts them together.
struct Stores {
  explicit Stores(net::Loop& main_loop) : loop(main_loop) {}

  AppParts parts() {
    return {.stats = stats,
            .filter_types = filters::http_filters(),
            .has_cluster = [this](std::string_view name) { return clusters.has(name); },
            .logs = logs,
            .clusters_may_follow = true,
            .check_source =
                [this](const auto& source, auto type, const auto& path, auto& errors) {
                  return planes.check(source, type, path, {}, errors);
                }};
  }

  net::Loop& loop;
  Logger log;
  stats::Registry stats;
  stats::LogWriters logs{{}, stats};
  config::MessageCheck check = new_check();
  tls::Secrets secrets{stats, log};
  Workers workers{1, stats, 1000};
  LastOwner last_owner{loop};
  ResourceReader reader{check, false, stats, log};
  Clusters clusters{{loop, stats, workers, last_owner, reader, secrets, logs, planes}};
  HcmResources resources{workers, last_owner, reader, planes, stats};
  Listeners listeners{{loop, log, stats, workers, last_owner, reader, resources, secrets, planes,
                       [this] { return parts(); }}};
  ControlPlanes planes{{loop, log, stats, {}}};
  RuntimeLayers layers{loop, workers, reader, planes};
};

// Everything of the stores happens on the loop's thread.
class Dynamic : public testing::Test {
 protected:
  Dynamic() {
    t_.run([&] { stores_ = std::make_unique<Stores>(t_.loop()); });
  }
  ~Dynamic() override {
    t_.run([&] { stores_.reset(); });
  }

  core::ConfigSource file(const std::string& name) const {
    core::ConfigSource out;
    out.mutable_path_config_source()->set_path(folder_.path(name));
    return out;
  }
  std::string source_yaml(const std::string& name) const {
    return "{path_config_source: {path: " + folder_.path(name) + "}}";
  }

  void subscribe_clusters() {
    t_.run([&] {
      stores_->clusters.subscribe(
          *stores_->planes.source(file("cds.yaml"), xds::ResourceType::kCluster), 0, {});
    });
  }
  void subscribe_listeners() {
    t_.run([&] {
      stores_->listeners.subscribe(
          *stores_->planes.source(file("lds.yaml"), xds::ResourceType::kListener), 0, {});
    });
  }

  // False: it never holds.
  bool eventually(const std::function<bool(Stores&)>& holds) {
    for (int i = 0; i < 1000; ++i) {
      if (t_.run([&] { return holds(*stores_); })) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  static const Clusters::State* find(const std::vector<Clusters::State>& states,
                                     const std::string& name) {
    for (const Clusters::State& one : states)
      if (one.config->name == name) return &one;
    return nullptr;
  }
  static bool has_cluster(const Stores& s, const std::string& name) {
    return find(s.clusters.states(), name) != nullptr;
  }
  static size_t endpoints_of(const Stores& s, const std::string& name) {
    const auto states = s.clusters.states();
    const Clusters::State* found = find(states, name);
    return found == nullptr ? 0 : found->hosts->endpoints.size();
  }
  // Where a resource stands, and why.
  static std::string status_of(const Stores& s, const std::string& name) {
    for (const auto& plane : s.planes.status())
      for (const xds::ResourceStatus& one : plane.resources)
        if (one.name == name) return std::string(state_name(one.state)) + " " + one.error;
    return {};
  }
  std::string status_of(const std::string& name) {
    return t_.run([&] { return status_of(*stores_, name); });
  }

  Folder folder_;
  net::LoopThread t_;
  std::unique_ptr<Stores> stores_;
};

std::string cluster(const std::string& name, const std::string& rest) {
  return "- \"@type\": type.googleapis.com/envoy.config.cluster.v3.Cluster\n  name: " + name +
         "\n  " + rest + "\n";
}

std::string endpoints(const std::string& name, const std::vector<int>& ports) {
  std::string out =
      "- \"@type\": type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment\n"
      "  cluster_name: " +
      name + "\n  endpoints:\n  - lb_endpoints:\n";
  for (int port : ports)
    out += "    - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: " +
           std::to_string(port) + "}}}\n";
  return out;
}

TEST_F(Dynamic, ValidSiblingsAreAppliedAndTheOthersNamed) {
  folder_.write("cds.yaml", "resources:\n" + cluster("good", "type: STATIC") +
                                cluster("bad", "connect_timeout: -1s"));
  subscribe_clusters();
  ASSERT_TRUE(eventually([](Stores& s) { return has_cluster(s, "good"); }));
  EXPECT_TRUE(eventually([](Stores& s) { return !has_cluster(s, "bad"); }));
  EXPECT_NE(status_of("bad").find("connect_timeout"), std::string::npos) << status_of("bad");
  EXPECT_TRUE(status_of("good").starts_with("ACKED")) << status_of("good");
}

TEST_F(Dynamic, TheLastGoodVersionStays) {
  folder_.write("cds.yaml", "resources:\n" + cluster("app", "connect_timeout: 3s"));
  subscribe_clusters();
  ASSERT_TRUE(eventually([](Stores& s) { return has_cluster(s, "app"); }));
  folder_.write("cds.yaml", "resources:\n" + cluster("app", "connect_timeout: 0s"));
  ASSERT_TRUE(eventually([](Stores& s) { return status_of(s, "app").starts_with("NACKED"); }));
  EXPECT_TRUE(eventually(
      [](Stores& s) { return s.clusters.states()[0].config->connect_timeout_ms == 3000; }));
  folder_.write("cds.yaml", "resources: []\n");
  EXPECT_TRUE(eventually([](Stores& s) { return !has_cluster(s, "app"); })) << "absence removes";
}

TEST_F(Dynamic, WhatTheBootstrapDefinesCannotBeChanged) {
  auto fixed = std::make_shared<upstream::ClusterConfig>();
  fixed->name = "app";
  t_.run([&] { stores_->clusters.set_static({{"app", fixed}}); });
  folder_.write("cds.yaml", "resources:\n" + cluster("app", "connect_timeout: 3s"));
  subscribe_clusters();
  ASSERT_TRUE(eventually([](Stores& s) { return status_of(s, "app").starts_with("NACKED"); }));
  EXPECT_NE(status_of("app").find("bootstrap"), std::string::npos) << status_of("app");
  EXPECT_TRUE(eventually([&](Stores& s) { return s.clusters.states()[0].config == fixed; }));
}

// What moves beside a file says nothing new about it, but what it was refused for may be over.
TEST_F(Dynamic, AFileThatStaysIsToldOfOnce) {
  const Folder beside;
  const auto log = [&] {
    std::ifstream in(beside.path("log"));
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const auto counted = [&](const std::string& what) {
    return t_.run([&] { return stores_->stats.value("cluster_manager.cds." + what); });
  };
  auto fixed = std::make_shared<upstream::ClusterConfig>();
  fixed->name = "app";
  t_.run([&] {
    ASSERT_TRUE(stores_->log.open(beside.path("log")).ok());
    stores_->clusters.set_static({{"app", fixed}});
  });
  folder_.write("cds.yaml", "resources:\n" + cluster("good", "connect_timeout: 2s") +
                                cluster("app", "connect_timeout: 3s"));
  subscribe_clusters();
  ASSERT_TRUE(eventually([](Stores& s) { return status_of(s, "app").starts_with("NACKED"); }));
  const std::string said = log();
  EXPECT_NE(said.find("resources of '" + folder_.path("cds.yaml") + "' are refused"),
            std::string::npos)
      << said;
  EXPECT_NE(said.find("cds.yaml:5:3: error: app: the bootstrap has"), std::string::npos) << said;
  const uint64_t attempts = counted("update_attempt");
  const uint64_t rejected = counted("update_rejected");
  for (int i = 0; i < 3; ++i) {
    folder_.write("another", std::to_string(i));
    std::this_thread::sleep_for(std::chrono::milliseconds(150));
  }
  EXPECT_EQ(log(), said);
  EXPECT_EQ(counted("update_attempt"), attempts);
  EXPECT_EQ(counted("update_rejected"), rejected);
  t_.run([&] { stores_->clusters.set_static({}); });
  folder_.write("another", "more");
  EXPECT_TRUE(eventually([](Stores& s) { return status_of(s, "app").starts_with("ACKED"); }));
  EXPECT_EQ(counted("update_attempt"), attempts + 1);
  folder_.write("cds.yaml", "resources: {");
  EXPECT_TRUE(eventually([&](Stores&) {
    return log().find("cds.yaml' is refused, what it said before stays") != std::string::npos;
  }));
}

// A cluster with so many endpoints in the zones a and b.
std::shared_ptr<const upstream::ClusterConfig> in_zones(const std::string& name, size_t a,
                                                        size_t b) {
  auto out = std::make_shared<upstream::ClusterConfig>();
  out->name = name;
  out->hash = a * 100 + b;
  for (const char* zone : {"a", "b"})
    out->hosts.localities.push_back({{.region = "", .zone = zone, .sub_zone = ""}, 0, 0});
  for (size_t i = 0; i < a + b; ++i) {
    upstream::Endpoint endpoint;
    endpoint.address = net::Address::ip("127.0.0.1", static_cast<uint16_t>(1000 + i)).take();
    endpoint.locality = i < a ? 0 : 1;
    out->hosts.endpoints.push_back(std::move(endpoint));
  }
  return out;
}

TEST_F(Dynamic, ZonesFollowTheLocalCluster) {
  const auto picked_in_b = [&] {
    return t_.run([&] {
      upstream::WorkerCluster& app = *stores_->clusters.on_main_loop("app");
      int count = 0;
      for (int i = 0; i < 1000; ++i) count += app.pick(std::nullopt, {})->endpoint().locality == 1;
      return count;
    });
  };
  const auto set = [&](size_t self_a, size_t self_b) {
    t_.run([&] {
      stores_->clusters.set_zone({.region = "", .zone = "a", .sub_zone = ""}, "self");
      stores_->clusters.set_static(
          {{"self", in_zones("self", self_a, self_b)}, {"app", in_zones("app", 4, 4)}});
    });
  };
  set(2, 2);
  EXPECT_EQ(picked_in_b(), 0) << "as many ask in each zone";
  set(2, 0);
  EXPECT_NEAR(picked_in_b(), 500, 50) << "all ask in zone a";
}

TEST_F(Dynamic, EndpointsComeByTheServicesName) {
  const auto eds = [&](const std::string& name) {
    return "resources:\n" + cluster(name,
                                    "type: EDS\n  eds_cluster_config: {service_name: service, "
                                    "eds_config: " +
                                        source_yaml("eds.yaml") + "}");
  };
  folder_.write("eds.yaml", "resources:\n" + endpoints("service", {1, 2}));
  folder_.write("cds.yaml", eds("app"));
  subscribe_clusters();
  ASSERT_TRUE(eventually([](Stores& s) { return endpoints_of(s, "app") == 2; }));
  EXPECT_TRUE(eventually([](Stores& s) { return s.clusters.warm(); }));
  folder_.write("eds.yaml", "resources:\n" + endpoints("service", {2, 3, 4}));
  ASSERT_TRUE(eventually([](Stores& s) { return endpoints_of(s, "app") == 3; }));
  // Another cluster gets what is known, without another answer.
  folder_.write("cds.yaml", eds("other"));
  ASSERT_TRUE(
      eventually([](Stores& s) { return has_cluster(s, "other") && !has_cluster(s, "app"); }));
  EXPECT_TRUE(eventually([](Stores& s) { return endpoints_of(s, "other") == 3; }));
}

std::string eds_cluster(const std::string& name, const std::string& source,
                        const std::string& rest = "") {
  return cluster(name, "type: EDS\n  eds_cluster_config: {service_name: service, eds_config: " +
                           source + "}" + rest);
}

// The file says the same again, and that counts.
TEST_F(Dynamic, AChangedClusterTakesWhatItsSourceSaysAgain) {
  folder_.write("eds.yaml", "resources:\n" + endpoints("service", {1, 2}));
  folder_.write("cds.yaml", "resources:\n" + eds_cluster("app", source_yaml("eds.yaml")));
  subscribe_clusters();
  ASSERT_TRUE(eventually([](Stores& s) { return endpoints_of(s, "app") == 2; }));
  const auto change = [&](const std::string& timeout) {
    folder_.write("cds.yaml", "resources:\n" + eds_cluster("app", source_yaml("eds.yaml"),
                                                           "\n  connect_timeout: " + timeout));
  };
  const auto changed_to = [&](int64_t timeout_ms) {
    return eventually([&](Stores& s) {
      const auto states = s.clusters.states();
      return states[0].config->connect_timeout_ms == timeout_ms && endpoints_of(s, "app") == 2 &&
             s.clusters.warm();
    });
  };
  change("3s");
  EXPECT_TRUE(changed_to(3000));
  // A file that says nothing, or nothing that can be read, takes nothing away.
  folder_.write("eds.yaml", "resources: []");
  change("4s");
  EXPECT_TRUE(changed_to(4000));
  folder_.write("eds.yaml", "resources: [");
  change("5s");
  EXPECT_TRUE(changed_to(5000));
}

TEST_F(Dynamic, UpdatesOfEndpointsAreCounted) {
  const auto stat = [&](const std::string& name) {
    return stores_->stats.value("cluster.app." + name);
  };
  folder_.write("eds.yaml", "resources:\n" + endpoints("service", {1, 2}));
  folder_.write("cds.yaml", "resources:\n" + eds_cluster("app", source_yaml("eds.yaml")));
  subscribe_clusters();
  ASSERT_TRUE(eventually([](Stores& s) { return endpoints_of(s, "app") == 2; }));
  EXPECT_EQ(stat("update_success"), 1u);
  EXPECT_EQ(stat("update_rejected"), 0u);
  folder_.write("eds.yaml", "resources:\n" + endpoints("service", {70'000}));
  ASSERT_TRUE(eventually([&](Stores&) { return stat("update_rejected") == 1; }));
  EXPECT_EQ(t_.run([&] { return endpoints_of(*stores_, "app"); }), 2u) << "what was refused";
  folder_.write("eds.yaml", "resources:\n" + endpoints("service", {1}));
  ASSERT_TRUE(eventually([](Stores& s) { return endpoints_of(s, "app") == 1; }));
  EXPECT_EQ(stat("update_success"), 2u);
  EXPECT_EQ(stat("update_rejected"), 1u);
}

TEST_F(Dynamic, EndpointsGoStale) {
  const auto write = [&](const std::string& policy) {
    folder_.write("eds.yaml",
                  "resources:\n" + endpoints("service", {1, 2}) + "  policy: " + policy + "\n");
  };
  const auto stat = [&](const std::string& name) {
    return stores_->stats.value("cluster.stat." + name);
  };
  const std::string dropping = "drop_overloads: [{category: a, drop_percentage: {numerator: 100}}]";
  write("{endpoint_stale_after: 0.05s, " + dropping + "}");
  folder_.write("cds.yaml", "resources:\n" + eds_cluster("app", source_yaml("eds.yaml"),
                                                         "\n  alt_stat_name: stat"));
  subscribe_clusters();
  ASSERT_TRUE(eventually([](Stores& s) { return has_cluster(s, "app"); }));
  ASSERT_TRUE(eventually([](Stores& s) { return endpoints_of(s, "app") == 0; }));
  EXPECT_EQ(stat("assignment_timeout_received"), 1u);
  EXPECT_EQ(stat("assignment_stale"), 1u);
  const auto drops = [&] {
    return t_.run([&] { return stores_->clusters.states()[0].hosts->drops != nullptr; });
  };
  EXPECT_TRUE(drops()) << "the policy stays";
  // The same again makes them fresh again, and so does another one.
  write("{endpoint_stale_after: 0.05s, " + dropping + "}");
  ASSERT_TRUE(eventually([&](Stores&) { return stat("assignment_timeout_received") == 2; }));
  ASSERT_TRUE(eventually([&](Stores&) { return stat("assignment_stale") == 2; }));
  EXPECT_TRUE(eventually([](Stores& s) { return endpoints_of(s, "app") == 0; }));
  write("{endpoint_stale_after: 1000s}");
  EXPECT_TRUE(eventually([](Stores& s) { return endpoints_of(s, "app") == 2; }));
  EXPECT_FALSE(drops());
  // What comes in time ends the time.
  write("{endpoint_stale_after: 0.5s}");
  ASSERT_TRUE(eventually([&](Stores&) { return stat("assignment_timeout_received") == 4; }));
  write("{}");
  std::this_thread::sleep_for(std::chrono::milliseconds(800));
  EXPECT_TRUE(eventually([](Stores& s) { return endpoints_of(s, "app") == 2; }));
  EXPECT_EQ(stat("assignment_stale"), 2u);
}

// Who comes later is told what is known, and that is that they are stale.
TEST_F(Dynamic, StaleEndpointsAreForNobody) {
  folder_.write("eds.yaml", "resources:\n" + endpoints("service", {1, 2}) +
                                "  policy: {endpoint_stale_after: 0.05s}\n");
  folder_.write("cds.yaml", "resources:\n" + eds_cluster("app", source_yaml("eds.yaml")));
  subscribe_clusters();
  ASSERT_TRUE(
      eventually([](Stores& s) { return s.stats.value("cluster.app.assignment_stale") == 1; }));
  std::filesystem::remove(folder_.path("eds.yaml"));
  folder_.write("cds.yaml", "resources:\n" + eds_cluster("app", source_yaml("eds.yaml")) +
                                eds_cluster("other", source_yaml("eds.yaml")));
  ASSERT_TRUE(eventually([](Stores& s) { return has_cluster(s, "other"); }));
  EXPECT_TRUE(eventually([](Stores& s) { return endpoints_of(s, "other") == 0; }));
  // Nor for another version of the cluster, which no fresh ones come for.
  folder_.write("cds.yaml", "resources:\n" + eds_cluster("app", source_yaml("eds.yaml"),
                                                         "\n  connect_timeout: 3s"));
  ASSERT_TRUE(eventually([](Stores& s) {
    const auto states = s.clusters.states();
    return states[0].config->connect_timeout_ms == 3000;
  }));
  EXPECT_TRUE(eventually([](Stores& s) { return endpoints_of(s, "app") == 0; }));
}

TEST_F(Dynamic, AClusterIsWarmWhenItsEndpointsWereChecked) {
  net::RawSocket first = net::RawSocket::listen();
  net::RawSocket second = net::RawSocket::listen();
  folder_.write("eds.yaml", "resources:\n" + endpoints("app", {first.address().port()}));
  folder_.write(
      "cds.yaml",
      "resources:\n" + cluster("app", "type: EDS\n  eds_cluster_config: {eds_config: " +
                                          source_yaml("eds.yaml") +
                                          "}\n  health_checks: [{timeout: 60s, interval: 60s, "
                                          "unhealthy_threshold: 1, healthy_threshold: 1, "
                                          "http_health_check: {path: /}}]"));
  subscribe_clusters();
  net::RawSocket checked = first.accept();
  checked.receive_some();
  EXPECT_FALSE(t_.run([&] { return has_cluster(*stores_, "app"); }));
  EXPECT_FALSE(t_.run([&] { return stores_->clusters.warm(); }));
  checked.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  ASSERT_TRUE(eventually([](Stores& s) { return has_cluster(s, "app"); }));
  EXPECT_TRUE(t_.run([&] { return stores_->clusters.warm(); }));
  EXPECT_EQ(stores_->stats.value("cluster.app.membership_healthy"), 1u);
  // Who is gone from EDS stays while it is healthy, and who comes is checked first.
  folder_.write("eds.yaml", "resources:\n" + endpoints("app", {second.address().port()}));
  ASSERT_TRUE(eventually([](Stores& s) { return endpoints_of(s, "app") == 2; }));
  EXPECT_EQ(stores_->stats.value("cluster.app.membership_healthy"), 1u);
  net::RawSocket other = second.accept();
  other.receive_some();
  other.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  EXPECT_TRUE(
      eventually([](Stores& s) { return s.stats.value("cluster.app.membership_healthy") == 2; }));
}

std::string chain(const std::string& source, const std::string& routes) {
  return "  - filter_chain_match: {source_ports: [" + source +
         "]}\n    filters:\n    - name: http\n      typed_config:\n"
         "        \"@type\": type.googleapis.com/envoy.extensions.filters.network."
         "http_connection_manager.v3.HttpConnectionManager\n"
         "        stat_prefix: front\n        " +
         routes +
         "\n        http_filters:\n        - name: router\n          typed_config:\n"
         "            \"@type\": type.googleapis.com/envoy.extensions.filters.http.router.v3."
         "Router\n";
}

const char* const kInline = "route_config: {virtual_hosts: [{name: all, domains: [\"*\"]}]}";

// Listens on a socket of the folder's.
std::string listener(const Folder& folder, const std::string& chains) {
  return "resources:\n- \"@type\": type.googleapis.com/envoy.config.listener.v3.Listener\n"
         "  name: front\n  address: {pipe: {path: " +
         folder.path("socket") + "}}\n  filter_chains:\n" + chains;
}

TEST_F(Dynamic, AListenerWaitsForItsRoutes) {
  folder_.write("lds.yaml",
                listener(folder_, chain("1", "rds: {route_config_name: main, config_source: " +
                                                 source_yaml("rds.yaml") + "}")));
  folder_.write("rds.yaml",
                "resources:\n- \"@type\": type.googleapis.com/envoy.config.route.v3."
                "RouteConfiguration\n  name: main\n  virtual_hosts:\n"
                "  - {name: all, domains: [\"*\"]}\n");
  subscribe_listeners();
  ASSERT_TRUE(eventually([](Stores& s) { return !s.listeners.states().empty(); }));
  EXPECT_TRUE(eventually([](Stores& s) {
    std::vector<DynamicResource> resources;
    s.resources.describe(resources);
    return resources.size() == 1 && resources[0].name == "main";
  }));
}

// The workers never run here, and so never close the sockets of the one that is gone.
TEST_F(Dynamic, AListenerTakesOverTheSocketOfOneThatLeaves) {
  std::string text = listener(folder_, chain("1", kInline));
  folder_.write("lds.yaml", text);
  subscribe_listeners();
  ASSERT_TRUE(eventually([](Stores& s) { return s.listeners.find("front") != nullptr; }));
  folder_.write("lds.yaml", text.replace(text.find("front"), 5, "other"));
  EXPECT_TRUE(eventually([](Stores& s) {
    const auto states = s.listeners.states();
    return states.size() == 1 && states[0].name == "other";
  }));
}

TEST_F(Dynamic, ChainsThatStayAreTheSameObjects) {
  using Chain = std::shared_ptr<const ChainConfig>;
  folder_.write("lds.yaml", listener(folder_, chain("1", kInline) + chain("2", kInline)));
  subscribe_listeners();
  ASSERT_TRUE(eventually([](Stores& s) { return !s.listeners.states().empty(); }));
  const auto chains = [&] {
    return t_.run([&] { return std::vector<Chain>(stores_->listeners.find("front")->chains); });
  };
  const std::vector<Chain> before = chains();
  folder_.write("lds.yaml", listener(folder_, chain("3", kInline) + chain("2", kInline)));
  ASSERT_TRUE(eventually([](Stores& s) {
    return s.listeners.find("front")->chains[0]->match.source_ports == std::vector<uint16_t>{3};
  }));
  EXPECT_EQ(chains()[1], before[1]);
  EXPECT_NE(chains()[0], before[0]);
}

TEST_F(Dynamic, RuntimeValuesChangeWhileTheyAreRead) {
  config::Bootstrap bootstrap;
  auto& base = *bootstrap.mutable_layered_runtime()->add_layers();
  base.set_name("base");
  (*base.mutable_static_layer()->mutable_fields())["a"].set_number_value(1);
  auto& sent = *bootstrap.mutable_layered_runtime()->add_layers();
  sent.set_name("sent");
  sent.mutable_rtds_layer()->set_name("layer");
  *sent.mutable_rtds_layer()->mutable_rtds_config() = file("rtds.yaml");
  auto& admin = *bootstrap.mutable_layered_runtime()->add_layers();
  admin.set_name("admin");
  admin.mutable_admin_layer();
  folder_.write("rtds.yaml",
                "resources:\n- \"@type\": type.googleapis.com/envoy.service.runtime.v3.Runtime\n"
                "  name: layer\n  layer: {a: 2, b: {c: 3}}\n");
  std::shared_ptr<const LiveRuntime> live;
  t_.run([&] {
    stores_->layers.prepare(bootstrap);
    stores_->layers.set(bootstrap);
    live = stores_->layers.live();
    EXPECT_EQ(live->number("a", 0), 1u);
    EXPECT_FALSE(stores_->layers.loaded());
    stores_->layers.subscribe();
  });
  ASSERT_TRUE(eventually([](Stores& s) { return s.layers.loaded(); }));
  EXPECT_EQ(live->number("a", 0), 2u);
  EXPECT_EQ(live->number("b.c", 0), 3u);
  t_.run([&] { EXPECT_TRUE(stores_->layers.modify({{"a", "7"}})); });
  EXPECT_EQ(live->number("a", 0), 7u);
  t_.run([&] { EXPECT_TRUE(stores_->layers.modify({{"a", ""}})); });
  EXPECT_EQ(live->number("a", 0), 2u);
}

}  // namespace
}  // namespace weir
