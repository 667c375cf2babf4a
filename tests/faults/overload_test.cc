// What the proxy does without when it is short of something, and how many connections it takes.
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>

#include "tests/harness/fluent.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;

// A pressure that the test sets.
class Pressure {
 public:
  explicit Pressure(const std::string& name) : path_(testing::TempDir() + "/" + name) { set("0"); }

  void set(const std::string& value) const {
    std::ofstream(path_ + ".new") << value;
    std::rename((path_ + ".new").c_str(), path_.c_str());
  }
  // An overload manager that starts that action at 0.9 of it.
  std::string starts(const std::string& action) const {
    return "overload_manager:\n"
           "  refresh_interval: 0.01s\n"
           "  resource_monitors:\n"
           "  - name: gauge\n"
           "    typed_config: {'@type': type.googleapis.com/envoy.extensions.resource_monitors."
           "injected_resource.v3.InjectedResourceConfig, filename: '" +
           path_ +
           "'}\n"
           "  actions:\n"
           "  - {name: envoy.overload_actions." +
           action + ", triggers: [{name: gauge, threshold: {value: 0.9}}]}";
  }

 private:
  std::string path_;
};

TEST(Overload, RequestsAreRefusedWhileItLasts) {
  const Pressure pressure("requests");
  Proxy proxy = weir()
                    .with("bootstrap", pressure.starts("stop_accepting_requests"))
                    .direct("/", 200, "")
                    .start();
  EXPECT_EQ(proxy.get("/").status, 200);
  pressure.set("0.95");
  EXPECT_TRUE(eventually([&] { return proxy.get("/").status == 503; }));
  EXPECT_EQ(proxy.get("/").body, "overloaded");
  EXPECT_GT(proxy.stat("http.front.downstream_rq_overload_close"), 0);
  pressure.set("0.2");
  EXPECT_TRUE(eventually([&] { return proxy.get("/").status == 200; }));
}

TEST(Overload, KeepAliveEnds) {
  const Pressure pressure("keep_alive");
  Proxy proxy = weir()
                    .with("bootstrap", pressure.starts("disable_http_keepalive"))
                    .direct("/", 200, "")
                    .start();
  RawClient before(proxy);
  before.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_FALSE(before.reply().headers.contains("connection"));
  pressure.set("1");
  ASSERT_TRUE(eventually([&] {
    return proxy.stat("overload.envoy.overload_actions.disable_http_keepalive.active") == 1;
  }));
  before.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(before.reply().headers["connection"], "close");
  EXPECT_TRUE(before.closed_within(2s));
  EXPECT_EQ(proxy.stat("http.front.downstream_cx_overload_disable_keepalive"), 1);
}

TEST(Overload, ConnectionsWaitInTheQueue) {
  const Pressure pressure("queue");
  Proxy proxy = weir()
                    .with("bootstrap", pressure.starts("stop_accepting_connections"))
                    .direct("/", 200, "")
                    .start();
  pressure.set("1");
  ASSERT_TRUE(eventually([&] {
    return proxy.stat("overload.envoy.overload_actions.stop_accepting_connections.active") == 1;
  }));
  RawClient waiting(proxy);
  waiting.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_FALSE(waiting.closed_within(300ms));
  EXPECT_EQ(waiting.wire().input(), "");
  pressure.set("0");
  EXPECT_EQ(waiting.reply().status, 200);
}

TEST(Overload, ConnectionsAreRejected) {
  const Pressure pressure("reject");
  Proxy proxy = weir()
                    .with("bootstrap", pressure.starts("reject_incoming_connections"))
                    .direct("/", 200, "")
                    .start();
  RawClient before(proxy);
  before.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(before.reply().status, 200);
  pressure.set("1");
  EXPECT_TRUE(eventually([&] { return proxy.get("/", 500ms).status == 0; }));
  before.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(before.reply().status, 200) << "open connections stay";
}

// Opens connections, each with one request, until one is refused.
size_t served_before_refusal(const Proxy& proxy, std::vector<std::unique_ptr<RawClient>>& clients) {
  for (size_t served = 0; served < 100; ++served) {
    clients.push_back(std::make_unique<RawClient>(proxy));
    clients.back()->send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    if (clients.back()->reply(2s).status != 200) return served;
  }
  return 100;
}

TEST(ConnectionLimits, TheMonitorsHoldsForAllWorkersTogether) {
  Proxy proxy = weir()
                    .with("bootstrap",
                          "overload_manager:\n"
                          "  resource_monitors:\n"
                          "  - name: envoy.resource_monitors.global_downstream_max_connections\n"
                          "    typed_config: {'@type': type.googleapis.com/envoy.extensions."
                          "resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig,"
                          " max_active_downstream_connections: 9}")
                    .with("listener", "stat_prefix: front")
                    .argument("--concurrency=4")
                    .direct("/", 200, "hi")
                    .start();
  std::vector<std::unique_ptr<RawClient>> clients;
  EXPECT_EQ(served_before_refusal(proxy, clients), 9u);
  EXPECT_EQ(proxy.stat("listener.front.downstream_global_cx_overflow"), 1);
  EXPECT_EQ(proxy.stat("listener.front.downstream_cx_total"),
            proxy.stat("listener.front.downstream_cx_destroy") + 9);
  clients.clear();
  EXPECT_TRUE(eventually([&] { return proxy.get("/", 500ms).status == 200; }));
}

TEST(ConnectionLimits, TheRuntimesHoldsForAllWorkersTogether) {
  Proxy proxy = weir()
                    .with("bootstrap",
                          "layered_runtime:\n"
                          "  layers:\n"
                          "  - name: static\n"
                          "    static_layer: {overload: {global_downstream_max_connections: 7}}")
                    .argument("--concurrency=4")
                    .direct("/", 200, "hi")
                    .start();
  std::vector<std::unique_ptr<RawClient>> clients;
  EXPECT_EQ(served_before_refusal(proxy, clients), 7u);
}

TEST(ConnectionLimits, AListenersHoldsForAllWorkersTogether) {
  Proxy proxy =
      weir()
          .with("bootstrap",
                "layered_runtime:\n"
                "  layers:\n"
                "  - name: static\n"
                "    static_layer: {envoy.resource_limits.listener.front.connection_limit: 6}")
          .argument("--concurrency=4")
          .direct("/", 200, "hi")
          .start();
  std::vector<std::unique_ptr<RawClient>> clients;
  EXPECT_EQ(served_before_refusal(proxy, clients), 6u);
}

TEST(ConnectionLimits, AListenerMayIgnoreThatOfAll) {
  Proxy proxy = weir()
                    .with("bootstrap",
                          "layered_runtime:\n"
                          "  layers:\n"
                          "  - name: static\n"
                          "    static_layer: {overload.global_downstream_max_connections: 2}")
                    .with("listener", "ignore_global_conn_limit: true")
                    .direct("/", 200, "hi")
                    .start();
  std::vector<std::unique_ptr<RawClient>> clients;
  EXPECT_EQ(served_before_refusal(proxy, clients), 100u);
}

}  // namespace
}  // namespace weir::test
