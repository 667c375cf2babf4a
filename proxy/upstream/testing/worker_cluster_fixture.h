#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "proxy/net/testing/loop_thread.h"
#include "proxy/net/testing/raw_socket.h"
#include "proxy/upstream/worker_cluster.h"

// A worker's pools against listening sockets of the test's own.
namespace weir::upstream {

// One request's part: waits, sends a request, hears the answer.
class Asker : public ConnectionWaiter, public http::ClientStreamEvents {
 public:
  Host::Outcome ask(Host& host, bool high = false, const Wish& wish = {}) {
    host.cluster().begin(*(host_ = &host));
    high_ = high;
    Lent at_once;
    const Host::Outcome outcome = host.acquire(*this, high, at_once, wish);
    if (outcome == Host::Outcome::kLent) on_connection(at_once);
    if (outcome == Host::Outcome::kOverflow) end();
    return outcome;
  }
  void give_up() {
    Pool::cancel_waiting(*this);
    end();
    if (http::ClientStream* stream = std::exchange(lent.stream, nullptr))
      stream->reset(http::ResetReason::kLocal);
  }

  // ConnectionWaiter
  http::ClientStreamEvents& stream_events() override { return *this; }
  void on_connection(const Lent& given) override {
    lent = given;
    attached_ = true;
    http::RequestHead request(arena);
    request.method_text = "GET";
    request.method = http::Method::kGet;
    request.path = "/";
    request.authority = "a";
    request.content_length = 0;
    lent.stream->send_head(request, true);
  }
  void on_no_connection(http::ResetReason reason, std::string_view details) override {
    failure = details;
    failure_reason = reason;
    end();
  }

  // ClientStreamEvents
  http::ResponseHead& fresh_response_head() override {
    response.clear();
    return response;
  }
  Arena& trailer_arena() override { return arena; }
  void on_informational() override {}
  void on_response_head(bool end) override { over(end); }
  void on_response_body(std::string_view, bool end) override { over(end); }
  void on_response_trailers(http::HeaderMap&) override { over(true); }
  void on_stream_over() override {
    lent.stream = nullptr;
    end();
  }
  void on_upstream_reset(http::ResetReason, std::string_view) override { on_stream_over(); }
  void on_upstream_full(bool) override {}

  Arena arena;
  http::ResponseHead response{arena};
  Lent lent;
  std::string failure;
  http::ResetReason failure_reason = http::ResetReason::kLocal;
  bool done = false;

 private:
  void over(bool end) {
    done = end;
    if (end) on_stream_over();
  }
  void end() {
    if (host_ == nullptr) return;
    Host& host = *std::exchange(host_, nullptr);
    if (std::exchange(attached_, false)) host.cluster().detach(host, high_);
    host.cluster().end(host);
  }

  Host* host_ = nullptr;
  bool high_ = false;
  bool attached_ = false;
};

class WorkerClusterFixture : public testing::Test {
 protected:
  WorkerClusterFixture() {
    config_.name = config_.stat_name = "c";
    for (int i = 0; i < 3; ++i) listeners_.push_back(net::RawSocket::listen());
  }
  void TearDown() override {
    t_.run([&] {
      for (auto& asker : askers_) asker->give_up();
      if (cluster_ != nullptr) cluster_->drain();
    });
    until([&] { return cluster_ == nullptr || cluster_->unused(); });
    t_.run([&] { cluster_.reset(); });
  }

  std::shared_ptr<const HostSet> host_set(const std::vector<int>& listeners) {
    HostSet set;
    set.localities.push_back({});
    for (const int i : listeners) {
      Endpoint endpoint;
      endpoint.address = i < 0 ? nobody_ : listeners_[static_cast<size_t>(i)].address();
      endpoint.address_text = endpoint.address.text();
      set.endpoints.push_back(endpoint);
    }
    return std::make_shared<const HostSet>(std::move(set));
  }
  void open(const std::vector<int>& listeners) {
    open(std::make_shared<const ClusterConfig>(config_), host_set(listeners));
  }
  void open(std::shared_ptr<const ClusterConfig> config, std::shared_ptr<const HostSet> hosts) {
    auto shared = std::make_shared<Cluster>(config, registry_, 1, limit_);
    t_.run([&] {
      cluster_ = std::make_unique<WorkerCluster>(shared, plan_balancing(config->balancing, hosts),
                                                 hosts, t_.loop(), shard_);
    });
  }
  void update(const std::vector<int>& listeners) {
    const auto hosts = host_set(listeners);
    t_.run([&] { cluster_->update(plan_balancing(config_.balancing, hosts), hosts); });
  }
  Host& host(size_t i) { return cluster_->host(static_cast<uint32_t>(i)); }

  Asker& asker() {
    askers_.push_back(std::make_unique<Asker>());
    return *askers_.back();
  }
  Host::Outcome ask(Asker& who, size_t host_index = 0, bool high = false, const Wish& wish = {}) {
    return t_.run([&] { return who.ask(host(host_index), high, wish); });
  }
  // Answers what comes next on that connection.
  void answer(net::RawSocket& upstream, const std::string& lines = "") {
    upstream.receive_some();
    upstream.send("HTTP/1.1 204 No Content\r\n" + lines + "\r\n");
  }
  bool until(const std::function<bool()>& condition) {
    const auto limit =
        std::chrono::steady_clock::now() + std::chrono::milliseconds(net::RawSocket::kPatienceMs);
    while (std::chrono::steady_clock::now() < limit) {
      if (t_.run(condition)) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
  uint64_t counter(const std::string& name) {
    return t_.run([&] { return registry_.value("cluster.c." + name); });
  }

  net::LoopThread t_;
  stats::Registry registry_;
  stats::Shard& shard_ = registry_.new_shard();
  ClusterConfig config_;
  std::shared_ptr<DropLimit> limit_ = std::make_shared<DropLimit>();
  std::vector<net::RawSocket> listeners_;
  const net::Address nobody_ = net::RawSocket::listen().address();
  std::unique_ptr<WorkerCluster> cluster_;
  std::vector<std::unique_ptr<Asker>> askers_;
};

}  // namespace weir::upstream
