// A request in the steady state asks the heap for nothing: a worker serves requests here, and every
// call of malloc and its like on the worker's thread is counted.
#include <fcntl.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <future>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "config/bootstrap.h"
#include "config/support.h"
#include "filters/registry.h"
#include "proxy/control_planes.h"
#include "proxy/net/testing/raw_socket.h"
#include "proxy/plan.h"
#include "proxy/stats/log_writers.h"
#include "proxy/upstream/load_balancer.h"
#include "proxy/worker.h"

namespace {
thread_local bool counting = false;
std::atomic<uint64_t> calls{0};

void count() {
  if (counting) calls.fetch_add(1, std::memory_order_relaxed);
}
}  // namespace

// operator new comes here, too. The C library's own names do the work.
extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t items, size_t bytes);
void* __libc_realloc(void* block, size_t bytes);
void* __libc_memalign(size_t align, size_t bytes);

void* malloc(size_t bytes) {
  count();
  return __libc_malloc(bytes);
}
void* calloc(size_t items, size_t bytes) {
  count();
  return __libc_calloc(items, bytes);
}
void* realloc(void* block, size_t bytes) {
  count();
  return __libc_realloc(block, bytes);
}
void* aligned_alloc(size_t align, size_t bytes) {
  count();
  return __libc_memalign(align, bytes);
}
}

namespace weir {
namespace {

using net::RawSocket;

// Answers every request on every connection with the same bytes, on a thread for each connection.
class Upstream {
 public:
  Upstream(std::string answer, size_t body_bytes)
      : answer_(std::move(answer)), body_bytes_(body_bytes), listener_(RawSocket::listen()) {
    address_ = listener_.address();
    accepting_ = std::thread([this] { accept_all(); });
  }
  ~Upstream() {
    ending_ = true;
    RawSocket::connect(address_);
    accepting_.join();
    for (std::thread& thread : serving_) thread.join();
  }
  uint16_t port() const { return address_.port(); }

 private:
  void accept_all() {
    for (;;) {
      RawSocket socket = listener_.accept();
      if (ending_) return;
      serving_.emplace_back([this, s = std::move(socket)]() mutable { serve(s); });
    }
  }
  void serve(RawSocket& socket) const {
    std::string gathered;
    for (;;) {
      const std::string some = socket.receive_some();
      if (some.empty()) return;
      gathered += some;
      for (size_t end; (end = gathered.find("\r\n\r\n")) != std::string::npos &&
                       gathered.size() >= end + 4 + body_bytes_;) {
        gathered.erase(0, end + 4 + body_bytes_);
        socket.send(answer_);
      }
    }
  }

  const std::string answer_;
  const size_t body_bytes_;
  RawSocket listener_;
  net::Address address_;
  std::atomic<bool> ending_{false};
  std::thread accepting_;
  std::vector<std::thread> serving_;
};

// What of the configuration the scenarios differ in.
struct Scenario {
  std::string hcm = "";
  std::string filters = "";
  std::string action = "route: {cluster: app}";
  std::string cluster = "";
  std::string request =
      "GET /path?q HTTP/1.1\r\nHost: a\r\nUser-Agent: test\r\nAccept: */*\r\n\r\n";
  size_t request_body_bytes = 0;
  std::string answer = "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\n\r\nhello";
  std::string ending = "hello";  // of a response as the client gets it; not found before
  std::string status = "200";
  int responses = 1;    // to one request, which may be several
  size_t pause_at = 0;  // the client waits there, in the middle of its request
};

std::string bootstrap(const Scenario& s, uint16_t upstream_port) {
  return R"(
static_resources:
  listeners:
  - name: front
    address: {socket_address: {address: 127.0.0.1, port_value: 10000}}
    filter_chains:
    - filters:
      - name: hcm
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: front
          )" +
         s.hcm + R"(
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {prefix: /}
                )" +
         s.action + R"(
          http_filters:
          )" +
         s.filters + R"(
          - name: router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
  clusters:
  - name: app
    )" + s.cluster +
         R"(
    load_assignment:
      cluster_name: app
      endpoints:
      - lb_endpoints:
        - endpoint: {address: {socket_address: {address: 127.0.0.1, port_value: )" +
         std::to_string(upstream_port) + "}}}\n";
}

// One worker that runs a scenario's configuration.
class RunningWorker {
 public:
  explicit RunningWorker(const std::string& yaml) : logs_({}, registry_) {
    config::Support support = config::default_support();
    support.add(filters::own_messages());
    config::MessageCheck check(std::move(support));
    config::Diagnostics diagnostics;
    const auto message = config::load_bootstrap({.config_yaml = yaml}, check, diagnostics);
    if (message != nullptr)
      plan_ = compile_plan(*message,
                           AppBuild({.stats = registry_,
                                     .filter_types = filters::http_filters(),
                                     .logs = logs_,
                                     .kept_filter_state = &kept_},
                                    diagnostics),
                           {planes_, [](const std::string&) { return nullptr; }});
    for (const config::Diagnostic& d : diagnostics.items())
      ADD_FAILURE() << d.field_path << ": " << d.message;
    if (plan_ == nullptr) std::abort();
    worker_.start();
    publish();
  }
  ~RunningWorker() {
    on_worker([this] {
      worker_.close_connections();
      worker_.remove_cluster("app");
    });
    worker_.loop().stop();
    worker_.join();
  }

  const net::Address& address() const { return address_; }
  void count(bool on) {
    on_worker([on] { counting = on; });
  }

 private:
  void publish() {
    RawSocket listening = RawSocket::listen();
    fcntl(listening.fd(), F_SETFL, O_NONBLOCK);
    address_ = listening.address();
    const auto& config = plan_->clusters.at("app");
    PublishedCluster published;
    published.cluster = std::make_shared<upstream::Cluster>(config, registry_, 1);
    published.hosts = std::make_shared<upstream::HostSet>(config->hosts);
    published.plan = upstream::plan_balancing(config->balancing, published.hosts);
    on_worker([&] {
      worker_.set_cluster(published);
      worker_.set_listener(plan_->listeners.at(0), {listening.release()});
    });
  }
  template <class Task>
  void on_worker(Task task) {
    std::promise<void> done;
    worker_.loop().post([&] {
      task();
      done.set_value();
    });
    done.get_future().wait();
  }

  stats::Registry registry_;
  Logger log_;
  net::Loop loop_;
  ControlPlanes planes_{{loop_, log_, registry_, {}}};
  stats::LogWriters logs_;
  http::KeptState kept_;
  std::unique_ptr<const Plan> plan_;
  net::Address address_;
  Worker worker_{0, registry_.new_shard(), 1000};
};

// The responses to one send_request, by their last bytes.
void receive_responses(RawSocket& client, const Scenario& s) {
  std::string received;
  int complete = 0;
  for (size_t from = 0; complete < s.responses;) {
    const std::string some = client.receive_some();
    ASSERT_FALSE(some.empty()) << "after: " << received;
    received += some;
    for (size_t at; (at = received.find(s.ending, from)) != std::string::npos; ++complete)
      from = at + s.ending.size();
  }
  ASSERT_EQ(received.substr(9, 3), s.status) << received;
}

// One request of every client, at the same time.
void run_round(std::vector<RawSocket>& clients, const Scenario& scenario) {
  const std::string_view request = scenario.request;
  if (scenario.pause_at > 0) {
    for (RawSocket& client : clients) client.send(request.substr(0, scenario.pause_at));
    std::this_thread::sleep_for(std::chrono::microseconds(200));
  }
  for (RawSocket& client : clients) client.send(request.substr(scenario.pause_at));
  for (RawSocket& client : clients) receive_responses(client, scenario);
}

// The calls on the worker's thread from request 1,000 to 2,000. Where more were under way at once
// than ever before, pools have grown: then it is the next 1,000 that count.
uint64_t calls_in_steady_state(const Scenario& scenario) {
  constexpr int kRounds = 250;
  constexpr int kMaxWindows = 4;
  const Upstream upstream(scenario.answer, scenario.request_body_bytes);
  RunningWorker worker(bootstrap(scenario, upstream.port()));
  std::vector<RawSocket> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(RawSocket::connect(worker.address()));
  for (int i = 0; i < kRounds; ++i) run_round(clients, scenario);
  uint64_t in_window = 1;
  worker.count(true);
  for (int window = 0; window < kMaxWindows && in_window > 0; ++window) {
    const uint64_t before = calls;
    for (int i = 0; i < kRounds; ++i) run_round(clients, scenario);
    in_window = calls - before;
  }
  worker.count(false);
  return in_window;
}

TEST(RequestAllocation, CallsAreCounted) {
  counting = true;
  const uint64_t before = calls;
  const std::vector<int> memory(1000);
  counting = false;
  EXPECT_EQ(calls - before, 1u) << memory.size();
}

TEST(RequestAllocation, Get) {
  EXPECT_EQ(calls_in_steady_state({}), 0u);
}

TEST(RequestAllocation, PostOfSixteenKilobytes) {
  Scenario s;
  s.request_body_bytes = 16 * 1024;
  s.request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 16384\r\n\r\n" +
              std::string(s.request_body_bytes, 'x');
  EXPECT_EQ(calls_in_steady_state(s), 0u);
}

TEST(RequestAllocation, ChunkedResponse) {
  Scenario s;
  s.answer =
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
  s.ending = "0\r\n\r\n";
  EXPECT_EQ(calls_in_steady_state(s), 0u);
}

TEST(RequestAllocation, LargeResponse) {
  Scenario s;
  s.answer =
      "HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + std::string(199'995, 'x') + "hello";
  EXPECT_EQ(calls_in_steady_state(s), 0u);
}

TEST(RequestAllocation, RetriesHashingAndTimeouts) {
  Scenario s;
  s.action =
      "route: {cluster: app, timeout: 5s, idle_timeout: 10s, retry_policy: {retry_on: "
      "'5xx,reset', num_retries: 2, per_try_timeout: 1s}, hash_policy: [{header: {header_name: "
      "user-agent}}, "
      "{cookie: {name: c}}], prefix_rewrite: /new/}";
  s.cluster = "lb_policy: RING_HASH";
  EXPECT_EQ(calls_in_steady_state(s), 0u);
}

TEST(RequestAllocation, ForwardedHeadersAndNormalizedPaths) {
  Scenario s;
  s.hcm =
      "use_remote_address: true\n          via: weir\n          normalize_path: true\n"
      "          merge_slashes: true\n          always_set_request_id_in_response: true";
  s.request =
      "GET /a//b/../c?q HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 192.0.2.1, 2001:db8:1234::1\r\n"
      "Cookie: a=b\r\nX-Long: " +
      std::string(500, 'x') + "\r\n\r\n";
  EXPECT_EQ(calls_in_steady_state(s), 0u);
}

TEST(RequestAllocation, AccessLogs) {
  Scenario s;
  s.hcm = R"(access_log:
          - name: file
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog
              path: /dev/null
              log_format:
                json_format:
                  start: "%START_TIME%"
                  path: "%REQ(:PATH)%"
                  agent: "%REQ(USER-AGENT)%"
                  status: "%RESPONSE_CODE%"
                  flags: "%RESPONSE_FLAGS%"
                  upstream: "%UPSTREAM_HOST%"
                  host: "%UPSTREAM_HOST_NAME% %UPSTREAM_HOST_NAME_WITHOUT_PORT%"
                  protocol: "%UPSTREAM_PROTOCOL%"
                  heads: "%UPSTREAM_HEADER_BYTES_SENT% %UPSTREAM_HEADER_BYTES_RECEIVED%"
                  id: "%UNIQUE_ID%"
                  took: "%DURATION%")";
  EXPECT_EQ(calls_in_steady_state(s), 0u);
}

TEST(RequestAllocation, Pipelines) {
  Scenario s;
  s.request += s.request + s.request;
  s.responses = 3;
  EXPECT_EQ(calls_in_steady_state(s), 0u);
}

TEST(RequestAllocation, HeadsInTwoReads) {
  Scenario s;
  s.pause_at = 20;
  EXPECT_EQ(calls_in_steady_state(s), 0u);
}

TEST(RequestAllocation, Redirects) {
  Scenario s;
  s.action = "redirect: {host_redirect: elsewhere.example.com, response_code: FOUND}";
  s.status = "302";
  s.ending = "\r\n\r\n";
  EXPECT_EQ(calls_in_steady_state(s), 0u);
}

TEST(RequestAllocation, Filters) {
  Scenario s;
  s.filters = R"(- name: mutate
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
              mutations:
                request_mutations:
                - append: {header: {key: x-from, value: "%DOWNSTREAM_REMOTE_ADDRESS%"}}
                response_mutations:
                - remove: server
          - name: limit
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit
              stat_prefix: limit
              token_bucket: {max_tokens: 1000000, tokens_per_fill: 1000000, fill_interval: 1s})";
  EXPECT_EQ(calls_in_steady_state(s), 0u);
}

}  // namespace
}  // namespace weir
