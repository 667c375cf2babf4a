#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/http/filter_chain.h"
#include "proxy/http/filter_type.h"
#include "proxy/http/route.h"
#include "proxy/net/address.h"
#include "proxy/net/loop.h"
#include "proxy/stats/registry.h"

namespace weir::filters {

using HeaderLines = std::vector<std::pair<std::string, std::string>>;

// What a client sends. The body comes in the given pieces.
struct FakeRequest {
  std::string method = "POST";
  std::string path = "/";
  std::string authority = "example.com";
  HeaderLines headers = {};
  std::vector<std::string> body = {};
  std::optional<HeaderLines> trailers = {};
  http::Protocol protocol = http::Protocol::kHttp11;
  std::string cluster = {};  // that it goes to
  std::string cluster_alias = {};
};

// What the upstream would answer to a request that passed the filters. The body comes as one piece,
// followed by those of `more_body`.
struct FakeResponse {
  uint16_t status = 200;
  HeaderLines headers = {};
  std::string body = {};
  std::optional<HeaderLines> trailers = {};
  std::vector<std::string> more_body = {};
  bool breaks_off = false;  // after that, without an end: the proxy answers 502 if it still can
};

// What became of it.
struct Outcome {
  bool head_passed = false;  // the upstream saw the request's head
  bool request_ended = false;
  bool route_stale = false;  // the filter wants the route to be looked up again
  std::string method;
  std::string path;
  std::string authority;
  HeaderLines request_headers;
  std::string request_body;
  HeaderLines request_trailers;

  uint16_t status = 0;
  std::string details;       // of an answer by the filter; empty: the upstream's answer
  std::string content_type;  // of that answer
  uint32_t flags = 0;
  HeaderLines response_headers;
  std::string response_body;
  HeaderLines response_trailers;
  bool response_ended = false;  // the client has got all of it
  bool broken_off = false;      // the filter gave the response up after its head was sent
  bool health_check = false;

  bool answered() const { return !details.empty(); }
};

// The first value of that name, or nothing.
std::optional<std::string> value_of(const HeaderLines& lines, std::string_view name);

// Runs one filter, configured by YAML, on requests through the real filter chain. One thread.
class FilterDriver : private http::FilterChainOwner {
 public:
  explicit FilterDriver(const http::FilterType& type) : type_(type) {}

  // Compiles the filter's config; checks the rules of its proto first. False on errors.
  bool configure(std::string_view yaml);
  // Adds a per-route config, less specific ones first.
  bool configure_route(std::string_view yaml);
  // All errors so far, a line each: "path: message".
  std::string errors() const;
  // A hash of the files that the configs are made of.
  uint64_t take_content_hash() { return diagnostics_.take_content_hash(); }

  Outcome run(const FakeRequest& request, const FakeResponse& response = {});

  uint64_t counter(std::string_view name) const { return registry_.value(name); }
  int64_t now_s() { return loop_.wall_us() / 1'000'000; }

  // What the request and the filter's compilation see; change them before.
  http::Route& route() { return route_; }
  void set_remote(std::string_view ip) { remote_ = net::Address::ip(ip, 1234).take(); }
  void set_connection(uint64_t id) { connection_id_ = id; }
  std::atomic<bool>& health_check_failing() { return failing_; }
  void set_cluster(const std::string& name, http::ClusterMembers members) {
    clusters_[name] = members;
  }
  // Tells the configs that use a secret resource of that name its text. An error: one refuses it.
  Result<void> tell_secret(const std::string& name, std::string_view text);
  void set_runtime(http::RuntimeLookup runtime) { runtime_ = std::move(runtime); }

 private:
  struct Exchange;

  std::unique_ptr<http::FilterConfig> compile(std::string_view yaml, std::string_view message,
                                              http::FilterType::Compile compile_it);
  void feed_request(const FakeRequest& request);
  void feed_response(const FakeResponse& response);
  void feed_response_body(const FakeResponse& response);

  void request_head_passed(bool end) override;
  void request_body_passed(std::string_view bytes, bool end) override;
  void request_trailers_passed(http::HeaderMap& trailers) override;
  void response_head_passed(bool end) override;
  void response_body_passed(std::string_view bytes, bool end) override;
  void response_trailers_passed(http::HeaderMap& trailers) override;
  void respond(const http::LocalReply& reply) override;
  void pause_request(bool) override {}
  void pause_response(bool) override {}
  std::optional<http::ClusterMembers> cluster_members(std::string_view cluster) override {
    const auto found = clusters_.find(cluster);
    if (found == clusters_.end()) return std::nullopt;
    return found->second;
  }

  const http::FilterType& type_;
  config::Diagnostics diagnostics_;
  stats::Registry registry_;
  stats::Shard& shard_ = registry_.new_shard();
  http::KeptState kept_;
  std::atomic<bool> failing_{false};
  http::RuntimeLookup runtime_;
  std::multimap<std::string, http::FilterBuild::TakeSecret> secret_users_;
  net::Loop loop_;
  net::Address remote_ = net::Address::ip("192.0.2.7", 1234).take();
  uint64_t connection_id_ = 1;
  std::map<std::string, http::ClusterMembers, std::less<>> clusters_;
  http::Route route_;
  http::RouteFilters route_filters_[3];
  http::FilterList filters_;
  Exchange* now_ = nullptr;  // the one that runs
};

}  // namespace weir::filters
