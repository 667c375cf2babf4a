// What an operator does to a running proxy: drain, reload, reopen.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstddef>
#include <filesystem>
#include <thread>

#include "tests/harness/fluent.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;

void reload_with(Proxy& proxy, const ProxyBuilder& builder) {
  write_file(proxy.weir().config_path(), proxy.weir().substitute(builder.config()));
  proxy.signal(SIGHUP);
}

size_t times_said(const Proxy& proxy, const std::string& text) {
  const std::string output = proxy.weir().output();
  size_t count = 0;
  for (size_t at = 0; (at = output.find(text, at)) != std::string::npos; ++at) ++count;
  return count;
}

bool answers(const Proxy& proxy, const std::string& body) {
  return eventually([&] { return proxy.get("/").body == body; });
}

TEST(Terminate, LetsTheRequestUnderWayEnd) {
  TestUpstream app;
  app.on("/slow").delay(600ms).respond(200, "to the end");
  Proxy proxy = weir().upstream(app).argument("--drain-time-s").argument("5").start();
  RawClient client(proxy);
  client.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return app.requests() == 1; }));
  proxy.signal(SIGTERM);
  const Reply reply = client.reply();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "to the end");
  EXPECT_TRUE(client.closed_within(2s));
  EXPECT_EQ(proxy.wait(3s), 0);
}

TEST(Terminate, EndsAtOnceWhenNothingIsUnderWay) {
  Proxy proxy = weir().direct("/", 200, "hi").start();
  RawClient idle(proxy);
  idle.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(idle.reply().status, 200);
  const auto start = std::chrono::steady_clock::now();
  proxy.signal(SIGTERM);
  EXPECT_EQ(proxy.wait(5s), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 2s);
  EXPECT_TRUE(idle.closed_within(1s));
}

TEST(Terminate, DoesNotWaitForEver) {
  TestUpstream app;
  app.on("/never").never_respond();
  Proxy proxy = weir()
                    .upstream(app)
                    .argument("--drain-time-s")
                    .argument("1")
                    .route("/", "{cluster: app, timeout: 0s}")
                    .start();
  RawClient client(proxy);
  client.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return app.requests() == 1; }));
  proxy.signal(SIGTERM);
  EXPECT_EQ(proxy.wait(4s), 0);
}

TEST(Terminate, TwiceEndsNow) {
  TestUpstream app;
  app.on("/never").never_respond();
  Proxy proxy = weir().upstream(app).argument("--drain-time-s").argument("60").start();
  RawClient client(proxy);
  client.send("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return app.requests() == 1; }));
  proxy.signal(SIGTERM);
  std::this_thread::sleep_for(200ms);
  proxy.signal(SIGTERM);
  EXPECT_NE(proxy.wait(3s), ChildProcess::kStillRunning);
}

TEST(Reload, TakesANewRoute) {
  Proxy proxy = weir().direct("/", 200, "old").start();
  ASSERT_TRUE(answers(proxy, "old"));
  reload_with(proxy, weir().direct("/", 200, "new"));
  EXPECT_TRUE(answers(proxy, "new"));
}

TEST(Reload, KeepsConnectionsAndTheRequestUnderWay) {
  TestUpstream app;
  app.on("/slow").delay(500ms).respond(200, "old request");
  Proxy proxy = weir().upstream(app).route("/", "{cluster: app}").start();
  RawClient busy(proxy);
  busy.send("GET /slow HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_TRUE(eventually([&] { return app.requests() == 1; }));
  reload_with(proxy, weir().upstream(app).direct("/", 200, "new"));
  ASSERT_TRUE(answers(proxy, "new"));
  EXPECT_EQ(busy.reply().body, "old request");
}

TEST(Reload, FailsNoRequestUnderTraffic) {
  TestUpstream app;
  Proxy proxy = weir().upstream(app).start();
  std::atomic<bool> done{false};
  std::atomic<int> failed{0};
  std::atomic<int> sent{0};
  std::thread traffic([&] {
    while (!done) {
      RawClient client(proxy);
      for (int i = 0; i < 20 && !done; ++i) {
        client.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        const Reply reply = client.reply();
        ++sent;
        if (reply.status != 200) ++failed;
        if (reply.status != 200 || reply.headers.count("connection") > 0) break;
      }
    }
  });
  for (int i = 0; i < 20; ++i) {
    reload_with(proxy, weir()
                           .upstream(app)
                           .direct("/version", 200, std::to_string(i))
                           .route("/", "{cluster: app}"));
    EXPECT_TRUE(eventually([&] { return proxy.get("/version").body == std::to_string(i); })) << i;
  }
  done = true;
  traffic.join();
  EXPECT_EQ(failed, 0);
  EXPECT_GT(sent, 20);
}

// ---- a cluster that the new file has no more, or under another name ----

std::string cluster_at(const std::string& name, const TestUpstream& upstream,
                       const std::string& more) {
  const std::string address =
      "{socket_address: {address: 127.0.0.1, port_value: " + std::to_string(upstream.port()) + "}}";
  return "- name: " + name + "\n  load_assignment:\n    cluster_name: " + name +
         "\n    endpoints: [{lb_endpoints: [{endpoint: {address: " + address + "}}]}]\n" + more;
}

// `more`: lines of the cluster.
ProxyBuilder to_cluster(const std::string& name, const TestUpstream& upstream,
                        const std::string& more = "") {
  return weir()
      .upstream(upstream)
      .with("clusters", cluster_at(name, upstream, more))
      .direct("/version", 200, name)
      .route("/", "{cluster: " + name + "}");
}

bool has_cluster(const Proxy& proxy, const std::string& name) {
  return proxy.admin("/clusters").body.find("\n" + name + "::") != std::string::npos;
}

bool version_is(const Proxy& proxy, const std::string& name) {
  return eventually([&] { return proxy.get("/version").body == name; });
}

constexpr std::string_view kGet = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

// `changed`: what makes it another listener, and not another chain alone.
void expect_old_connections_find_their_cluster(const std::string& changed) {
  TestUpstream before;
  TestUpstream after;
  before.on("/").respond(200, "before");
  after.on("/").respond(200, "after");
  Proxy proxy = to_cluster("one", before).start();
  RawClient kept(proxy);
  kept.send(kGet);
  ASSERT_EQ(kept.reply().body, "before");
  reload_with(proxy, to_cluster("two", after).with("listener", changed));
  ASSERT_TRUE(version_is(proxy, "two"));
  EXPECT_EQ(proxy.get("/").body, "after");
  // Longer than the first looks whether anybody is left.
  std::this_thread::sleep_for(1200ms);
  EXPECT_TRUE(has_cluster(proxy, "one"));
  kept.send(kGet);
  const Reply reply = kept.reply();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(reply.body, "before");
  EXPECT_TRUE(kept.closed_within(2s)) << "it does not drain";
  EXPECT_TRUE(eventually([&] { return !has_cluster(proxy, "one"); }));
  EXPECT_EQ(proxy.get("/").body, "after");
}

TEST(Reload, OldConnectionsOfAReplacedChainFindTheirCluster) {
  expect_old_connections_find_their_cluster("");
}

TEST(Reload, OldConnectionsOfAReplacedListenerFindTheirCluster) {
  expect_old_connections_find_their_cluster("per_connection_buffer_limit_bytes: 65536");
}

TEST(Reload, AClusterThatIsGoneLeavesWhenItsConnectionsHadTheirTime) {
  TestUpstream app;
  Proxy proxy = to_cluster("one", app).argument("--drain-time-s").argument("1").start();
  RawClient kept(proxy);
  kept.send(kGet);
  ASSERT_EQ(kept.reply().status, 200);
  reload_with(proxy, to_cluster("two", app));
  ASSERT_TRUE(version_is(proxy, "two"));
  EXPECT_TRUE(eventually([&] { return !has_cluster(proxy, "one"); }));
  EXPECT_TRUE(kept.closed_within(2s));
}

TEST(Reload, AClusterMayComeBackBeforeItHasLeft) {
  TestUpstream app;
  Proxy proxy = to_cluster("one", app).start();
  RawClient kept(proxy);
  kept.send(kGet);
  ASSERT_EQ(kept.reply().status, 200);
  reload_with(proxy, to_cluster("two", app));
  ASSERT_TRUE(version_is(proxy, "two"));
  reload_with(proxy, to_cluster("one", app));
  ASSERT_TRUE(version_is(proxy, "one"));
  EXPECT_TRUE(kept.send(kGet).reply().status == 200);
  EXPECT_TRUE(eventually([&] { return !has_cluster(proxy, "two"); }));
  std::this_thread::sleep_for(600ms);
  EXPECT_TRUE(has_cluster(proxy, "one"));
  EXPECT_EQ(proxy.get("/").status, 200);
}

// What a file asks for has to be in that file: of the one before it goes.
void expect_refused_without_it(const std::string& cluster, const ProxyBuilder& refused) {
  TestUpstream app;
  Proxy proxy = to_cluster(cluster, app).start();
  ASSERT_TRUE(version_is(proxy, cluster));
  reload_with(proxy, refused);
  EXPECT_TRUE(eventually([&] { return times_said(proxy, "the last good one stays") == 1; }));
  EXPECT_EQ(times_said(proxy, "there is no cluster '" + cluster + "'"), 1u)
      << proxy.weir().output();
  EXPECT_EQ(proxy.get("/version").body, cluster);
  EXPECT_EQ(proxy.get("/").status, 200);
}

TEST(Reload, RefusesRoutesToAClusterThatGoes) {
  TestUpstream app;
  expect_refused_without_it("one", to_cluster("two", app).route("/old", "{cluster: one}"));
}

TEST(Reload, RefusesSecretsFromAClusterThatGoes) {
  TestUpstream app;
  const std::string source =
      "{resource_api_version: V3, api_config_source: {api_type: GRPC, transport_api_version: V3, "
      "grpc_services: [{envoy_grpc: {cluster_name: one}}]}}";
  const std::string secret =
      "  transport_socket: {name: tls, typed_config: {\"@type\": type.googleapis.com/"
      "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, common_tls_context: "
      "{validation_context_sds_secret_config: {name: s, sds_config: " +
      source + "}}}}";
  expect_refused_without_it("one", to_cluster("two", app, secret));
}

// ---- clusters that are not warm yet ----

constexpr char kChecked[] =
    "  health_checks: [{timeout: 3s, interval: 3s, unhealthy_threshold: 1, healthy_threshold: 1, "
    "http_health_check: {path: /check}}]";

bool says(const Proxy& proxy, const std::string& text) {
  return eventually([&] { return times_said(proxy, text) > 0; });
}

size_t times_in_force(const Proxy& proxy) {
  return times_said(proxy, "the new configuration is in force");
}

// A proxy whose next configuration waits for a first health check.
Proxy start_warming(const TestUpstream& before, const TestUpstream& after) {
  Proxy proxy = to_cluster("one", before).start();
  EXPECT_TRUE(version_is(proxy, "one"));
  reload_with(proxy, to_cluster("two", after, kChecked));
  EXPECT_TRUE(says(proxy, "the new configuration waits for its clusters"));
  return proxy;
}

TEST(Reload, ServesTheOldConfigurationUntilNewClustersAreWarm) {
  TestUpstream before;
  TestUpstream after;
  after.on("/check").delay(2000ms).respond(200, "");
  after.on("/").respond(200, "after");
  Proxy proxy = start_warming(before, after);
  // One that is refused meanwhile changes nothing.
  write_file(proxy.weir().config_path(), "not: [yaml");
  proxy.signal(SIGHUP);
  EXPECT_EQ(proxy.get("/version").body, "one");
  EXPECT_TRUE(eventually([&] {
    const Reply reply = proxy.get("/");
    EXPECT_EQ(reply.status, 200);
    return reply.body == "after" || reply.status != 200;
  }));
  EXPECT_EQ(proxy.get("/version").body, "two");
  EXPECT_EQ(times_in_force(proxy), 1u);
}

// New sockets share the address: none of them may get connections before anybody accepts there.
TEST(Reload, NewSocketsOfAnAddressWaitForTheirConfiguration) {
  TestUpstream app;
  TestUpstream after;
  after.on("/check").delay(1500ms).respond(200, "");
  Proxy proxy = to_cluster("one", app).argument("--concurrency").argument("2").start();
  EXPECT_TRUE(version_is(proxy, "one"));
  const std::string options =
      "socket_options: [{level: 1, name: 8, int_value: 65536, state: STATE_PREBIND}]\n";
  reload_with(proxy, to_cluster("two", after, kChecked).with("listener", options));
  EXPECT_TRUE(says(proxy, "the new configuration waits for its clusters"));
  int answered = 0;
  while (times_in_force(proxy) == 0) {
    ASSERT_EQ(proxy.get("/version").status, 200) << "after " << answered;
    ++answered;
  }
  EXPECT_GT(answered, 20);
  EXPECT_TRUE(version_is(proxy, "two"));
}

TEST(Reload, TheNewestFileCountsWhileAnotherWarms) {
  TestUpstream before;
  TestUpstream never;
  never.on("/check").never_respond();
  Proxy proxy = start_warming(before, never);
  reload_with(proxy, to_cluster("three", before));
  EXPECT_TRUE(version_is(proxy, "three"));
  EXPECT_TRUE(eventually([&] { return !has_cluster(proxy, "one"); }));
  EXPECT_EQ(proxy.stat("cluster_manager.warming_clusters"), 0);
  // Longer than what the other one waited for.
  std::this_thread::sleep_for(3500ms);
  EXPECT_EQ(proxy.get("/version").body, "three");
  EXPECT_EQ(proxy.get("/").status, 200);
  EXPECT_EQ(times_in_force(proxy), 1u);
}

TEST(Reload, EndsWhileAConfigurationWarms) {
  TestUpstream before;
  TestUpstream never;
  never.on("/check").never_respond();
  Proxy proxy = start_warming(before, never);
  EXPECT_EQ(proxy.get("/").status, 200);
  proxy.signal(SIGTERM);
  EXPECT_EQ(proxy.wait(2s), 0);
  EXPECT_EQ(times_in_force(proxy), 0u);
}

TEST(Reload, WaitsForNamesButNotForEver) {
  // Nobody answers there.
  const Fd silent(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(silent.get(), reinterpret_cast<sockaddr*>(&at), sizeof(at)), 0);
  TestUpstream app;
  Proxy proxy = to_cluster("one", app).start();
  ASSERT_TRUE(version_is(proxy, "one"));
  const std::string resolver =
      "{name: envoy.network.dns_resolver.cares, typed_config: {\"@type\": type.googleapis.com/"
      "envoy.extensions.network.dns_resolver.cares.v3.CaresDnsResolverConfig, resolvers: "
      "[{socket_address: {address: 127.0.0.1, port_value: " +
      std::to_string(local_port(silent)) + "}}]}}";
  reload_with(
      proxy,
      weir()
          .upstream(app)
          .with("clusters",
                "- name: two\n  type: STRICT_DNS\n  typed_dns_resolver_config: " + resolver +
                    "\n  load_assignment: {cluster_name: two, endpoints: [{lb_endpoints: "
                    "[{endpoint: {address: {socket_address: {address: name.test, port_value: "
                    "80}}}}]}]}")
          .direct("/version", 200, "two")
          .route("/", "{cluster: two}"));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_TRUE(eventually([&] { return proxy.get("/version").body == "two"; }, 15s));
  EXPECT_GE(std::chrono::steady_clock::now() - start, 3s);
  EXPECT_EQ(proxy.get("/").status, 503);
}

// ---- an address that another listener has in the new file ----

ProxyBuilder with_listener(const std::string& yaml, const std::string& version) {
  return weir().with("listener", yaml).direct("/", 200, version);
}

void reload_as(Proxy& proxy, const std::string& listener, const ProxyBuilder& builder) {
  std::string text = builder.config();
  text.replace(text.find("- name: front"), 13, "- name: " + listener);
  write_file(proxy.weir().config_path(), proxy.weir().substitute(text));
  proxy.signal(SIGHUP);
}

// What an abstract socket of the proxy's answers; empty: nobody does.
std::string ask_at(const Proxy& proxy, const std::string& name) {
  const Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  const std::string path = name + "-" + std::to_string(proxy.port());
  path.copy(to.sun_path + 1, sizeof(to.sun_path) - 1);
  const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + path.size());
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&to), length) != 0) return {};
  const std::string request = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  if (write(fd.get(), request.data(), request.size()) < 0) return {};
  std::string out;
  char bytes[4096];
  for (ssize_t n; (n = read(fd.get(), bytes, sizeof(bytes))) > 0;)
    out.append(bytes, static_cast<size_t>(n));
  const size_t end = out.find("\r\n\r\n");
  return end == out.npos ? "" : out.substr(end + 4);
}

constexpr char kPrivate[] = "enable_reuse_port: false\nadditional_addresses:\n";
constexpr char kPipe[] = "- {address: {pipe: {path: \"@one-@LISTEN@\"}}}\n";
constexpr char kSecondPipe[] = "- {address: {pipe: {path: \"@two-@LISTEN@\"}}}\n";

TEST(Reload, AListenerOfAnotherNameTakesTheSocketsOver) {
  const std::string before = std::string(kPrivate) + kPipe;
  Proxy proxy = with_listener(before, "0").argument("--concurrency").argument("2").start();
  ASSERT_EQ(ask_at(proxy, "one"), "0");
  std::atomic<bool> done{false};
  std::atomic<int> failed{0};
  std::thread traffic([&] {
    while (!done)
      if (proxy.get("/").status != 200 || ask_at(proxy, "one").empty()) ++failed;
  });
  for (int i = 1; i <= 6; ++i) {
    // The last ones keep the name, and their sockets are made anew.
    const std::string yaml = i == 6 ? before + kSecondPipe : before;
    const std::string version = std::to_string(i);
    reload_as(proxy, i < 5 ? "listener" + version : "listener5", with_listener(yaml, version));
    EXPECT_TRUE(answers(proxy, version));
    EXPECT_TRUE(eventually([&] { return ask_at(proxy, "one") == version; }));
  }
  EXPECT_EQ(ask_at(proxy, "two"), "6");
  done = true;
  traffic.join();
  EXPECT_EQ(failed, 0);
}

TEST(Reload, TakesNothingOverWhenItIsRefused) {
  const Fd foreign = listen_on_loopback();
  const std::string before = std::string(kPrivate) + kPipe;
  const std::string taken = "- {address: {socket_address: {address: 127.0.0.1, port_value: " +
                            std::to_string(local_port(foreign)) + "}}}";
  Proxy proxy = with_listener(before, "before").start();
  ASSERT_TRUE(answers(proxy, "before"));
  ASSERT_EQ(ask_at(proxy, "one"), "before");
  const size_t files = proxy.open_files();
  for (size_t i = 1; i <= 5; ++i) {
    reload_as(proxy, "other", with_listener(before + taken, "after"));
    const std::string refused = "Address already in use; the last good one stays";
    ASSERT_TRUE(eventually([&] { return times_said(proxy, refused) == i; }));
  }
  EXPECT_EQ(proxy.get("/").body, "before");
  EXPECT_EQ(ask_at(proxy, "one"), "before");
  EXPECT_TRUE(eventually([&] { return proxy.open_files() <= files; })) << "copies stay open";
}

// The configuration is the same: what it names is not.
void expect_body_follows(const std::string& file, const std::string& local_reply_config) {
  write_file(file, "old");
  Proxy proxy = weir()
                    .with("hcm", "local_reply_config: " + local_reply_config)
                    .direct("/here", 200, "")
                    .start();
  EXPECT_EQ(proxy.get("/missing").body, "old");
  write_file(file, "new");
  proxy.signal(SIGHUP);
  EXPECT_TRUE(eventually([&] { return proxy.get("/missing").body == "new"; }));
}

TEST(Reload, ReadsFilesAgain) {
  const std::string file = new_scratch_folder("reload") + "/body";
  const std::string source = "{filename: " + file + "}";
  const std::string filter =
      "filter: {status_code_filter: {comparison: {op: EQ, value: {default_value: 404, "
      "runtime_key: x}}}}";
  expect_body_follows(file, "{body_format: {text_format_source: " + source + "}}");
  expect_body_follows(file, "{mappers: [{" + filter + ", body: " + source + "}]}");
  expect_body_follows(file, "{mappers: [{" + filter +
                                ", body_format_override: {text_format_source: " + source + "}}]}");
}

TEST(Reload, KeepsTheLastGoodConfiguration) {
  Proxy proxy = weir().direct("/", 200, "good").start();
  ASSERT_TRUE(answers(proxy, "good"));
  for (const std::string bad :
       {"not: [yaml", "", "static_resources: {listeners: [{nme: typo}]}", "admin: 17"}) {
    write_file(proxy.weir().config_path(), bad);
    const size_t printed = proxy.weir().output().size();
    proxy.signal(SIGHUP);
    EXPECT_TRUE(eventually([&] { return proxy.weir().output().size() > printed; }))
        << "nothing was said of: " << bad;
    EXPECT_EQ(proxy.get("/").body, "good") << bad;
  }
  std::filesystem::remove(proxy.weir().config_path());
  proxy.signal(SIGHUP);
  std::this_thread::sleep_for(100ms);
  EXPECT_EQ(proxy.get("/").body, "good");
  reload_with(proxy, weir().direct("/", 200, "better"));
  EXPECT_TRUE(answers(proxy, "better"));
}

TEST(Reopen, WritesToANewLogFile) {
  Proxy proxy = weir().direct("/", 200, "hi").start();
  const std::string log = proxy.weir().folder() + "/access.log";
  proxy.get("/one");
  ASSERT_TRUE(eventually([&] { return read_file(log).find("/one") != std::string::npos; }));
  std::filesystem::rename(log, log + ".1");
  proxy.get("/two");
  proxy.signal(SIGUSR1);
  ASSERT_TRUE(eventually([&] { return std::filesystem::exists(log); }));
  proxy.get("/three");
  EXPECT_TRUE(eventually([&] { return read_file(log).find("/three") != std::string::npos; }));
  EXPECT_NE(read_file(log + ".1").find("/two"), std::string::npos) << "a line was lost";
}

}  // namespace
}  // namespace weir::test
