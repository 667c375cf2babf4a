#include "proxy/upstream/worker_cluster.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "proxy/http/host.h"
#include "proxy/tls/transport_socket.h"

namespace weir::upstream {
namespace {

http::H1ClientOptions h1_options_of(const ClusterConfig& config) {
  http::H1ClientOptions options;
  options.limits.max_header_count = config.max_response_headers_count;
  options.limits.max_head_bytes = size_t{config.max_response_headers_kb} * 1024;
  options.pass_trailers = config.pass_trailers;
  options.header_case = config.header_keys.header_case;
  options.spelling = config.header_keys.spelling;
  return options;
}

}  // namespace

// ---- one endpoint ----

void Host::update(const Endpoint& endpoint) {
  endpoint_ = endpoint;
  pools_.revive();
  for (auto& [key, pools] : named_) pools->revive();
}

void Wish::set_host(std::string_view host, const ClusterConfig& cluster) {
  if (!cluster.auto_sni && !cluster.auto_san_validation) return;
  name = http::host_without_port(host);
  // As certificates have it (RFC 5280 4.2.1.6).
  if (name.starts_with('[') && name.ends_with(']')) name = name.substr(1, name.size() - 2);
}

HostPools& Host::pools_for(const Wish& wish) {
  PoolsKey key{.name = wish.name};
  if (const net::ProxyIntroduction* how = introduction();
      how != nullptr && wish.source != nullptr) {
    std::string& header = cluster_.introduction_scratch();
    header.clear();
    how->write(*wish.source, *wish.destination, wish.tlvs, header);
    key.introduction = header;
  }
  if (key == PoolsKey()) return pools_;
  if (const auto found = named_.find(key); found != named_.end()) return *found->second;
  if (named_.size() >= sweep_at_) sweep_named();
  auto made = std::make_unique<HostPools>(*this, pools_.loop(), key);
  const PoolsKey own = made->key();
  return *named_.emplace(own, std::move(made)).first->second;
}

// Clients choose these keys: those that nobody uses any more must not pile up.
void Host::sweep_named() {
  constexpr size_t kFew = 16;
  net::Loop& loop = pools_.loop();
  for (auto at = named_.begin(); at != named_.end();) {
    if (!at->second->unused()) {
      ++at;
      continue;
    }
    // Its connections may still be on the loop's list of things to delete.
    std::unique_ptr<HostPools> gone = std::move(at->second);
    at = named_.erase(at);
    loop.retire(std::move(gone));
  }
  sweep_at_ = std::max(kFew, 2 * named_.size());
}

Host::~Host() = default;

void Host::drain() {
  pools_.drain();
  for (auto& [key, pools] : named_) pools->drain();
}

bool Host::unused() const {
  const auto idle = [](const auto& named) { return named.second->unused(); };
  return requests == 0 && pools_.unused() && std::all_of(named_.begin(), named_.end(), idle);
}

size_t Host::connections() const {
  size_t sum = pools_.connections();
  for (const auto& [key, pools] : named_) sum += pools->connections();
  return sum;
}

// ---- what its connections begin with ----

const tls::ClientTls* Host::tls() const {
  const ClusterConfig& config = cluster_.config();
  if (endpoint_.transport < 0) return config.tls.get();
  return config.transport_matches[static_cast<size_t>(endpoint_.transport)].tls.get();
}

const net::ProxyIntroduction* Host::introduction() const {
  const ClusterConfig& config = cluster_.config();
  const auto& found =
      endpoint_.transport < 0
          ? config.introduction
          : config.transport_matches[static_cast<size_t>(endpoint_.transport)].introduction;
  return found ? &*found : nullptr;
}

std::unique_ptr<net::TlsSession> Host::new_session() const {
  const tls::ClientTls* tls = this->tls();
  if (tls == nullptr) return nullptr;
  tls::ClientWanted wanted;
  wanted.host_name = endpoint_.hostname;
  wanted.cache = cluster_.session_cache(*tls);
  return tls->new_session(wanted);
}

void Host::introduce(net::Connection& connection, const Wish& wish) const {
  const net::ProxyIntroduction* how = introduction();
  if (how == nullptr) return;
  std::string& header = cluster_.introduction_scratch();
  header.clear();
  how->write(*wish.source, *wish.destination, wish.tlvs, header);
  connection.send_in_clear(header);
}

// ---- the cluster ----

WorkerCluster::WorkerCluster(std::shared_ptr<Cluster> cluster,
                             std::shared_ptr<const BalancerPlan> plan,
                             std::shared_ptr<const HostSet> hosts, net::Loop& loop,
                             stats::Shard& stats)
    : cluster_(std::move(cluster)),
      loop_(loop),
      stats_(stats),
      connections_{Lease(cluster_->limits[0].connections), Lease(cluster_->limits[1].connections)},
      pending_{Lease(cluster_->limits[0].pending), Lease(cluster_->limits[1].pending)},
      requests_{Lease(cluster_->limits[0].requests), Lease(cluster_->limits[1].requests)},
      retries_{Lease(cluster_->limits[0].retries), Lease(cluster_->limits[1].retries)},
      h1_options_(h1_options_of(*cluster_->config)) {
  update(std::move(plan), std::move(hosts));
}

// The budget is a share of the requests under way, those that wait for a connection included; it
// counts at the moment of the decision.
bool WorkerCluster::try_retry(bool high) {
  const Thresholds& thresholds = config().thresholds[high];
  if (!thresholds.retry_budget_percent) return retries_[high].try_acquire();
  const double share =
      *thresholds.retry_budget_percent / 100 * cluster_->limits[high].requests.held();
  return retries_[high].try_acquire_below(
      std::max(static_cast<uint32_t>(share), thresholds.retry_budget_min));
}

WorkerCluster::~WorkerCluster() = default;

std::shared_ptr<tls::SessionCache> WorkerCluster::session_cache(const tls::ClientTls& tls) {
  const auto [at, is_new] = session_caches_.try_emplace(&tls);
  if (is_new) at->second = tls.context()->new_cache();
  return at->second;
}

// LOGICAL_DNS: a new address is for new connections; those that stand go on.
bool WorkerCluster::keep_logical_host(const HostSet& hosts) {
  if (hosts.endpoints.size() != 1 || hosts_.size() != 1 || !hosts.endpoints[0].logical)
    return false;
  hosts_[0]->update(hosts.endpoints[0]);
  return true;
}

void WorkerCluster::update(std::shared_ptr<const BalancerPlan> plan,
                           std::shared_ptr<const HostSet> hosts) {
  if (keep_logical_host(*hosts)) {
    host_set_ = std::move(hosts);
    picker_ = make_picker(std::move(plan), loop_.random());
    return;
  }
  // An address may be there twice, in two localities for example.
  std::unordered_multimap<net::Address, std::unique_ptr<Host>, AddressHash> old;
  for (auto& host : hosts_) old.emplace(host->endpoint().address, std::move(host));
  for (auto& host : removed_) old.emplace(host->endpoint().address, std::move(host));
  hosts_.clear();
  removed_.clear();
  active_.assign(hosts->endpoints.size(), 0);
  for (const Endpoint& endpoint : hosts->endpoints) {
    const auto kept = old.find(endpoint.address);
    std::unique_ptr<Host> host = kept != old.end() ? std::move(kept->second)
                                                   : std::make_unique<Host>(*this, loop_, endpoint);
    if (kept != old.end()) old.erase(kept);
    host->update(endpoint);
    host->removed = false;
    host->index = static_cast<uint32_t>(hosts_.size());
    active_[host->index] = host->requests;
    hosts_.push_back(std::move(host));
  }
  for (auto& [address, host] : old) {
    host->removed = true;
    host->drain();
    removed_.push_back(std::move(host));
  }
  sweep_removed();
  host_set_ = std::move(hosts);
  picker_ = make_picker(std::move(plan), loop_.random());
}

void WorkerCluster::drain() {
  for (auto& host : hosts_) host->drain();
}

bool WorkerCluster::unused() const {
  // A request that waits for its next attempt has no host, but still its slot.
  for (int i = 0; i < 2; ++i)
    if (requests_[i].in_use() > 0 || connections_[i].in_use() > 0) return false;
  const auto idle = [](const std::unique_ptr<Host>& host) { return host->unused(); };
  return std::all_of(hosts_.begin(), hosts_.end(), idle) &&
         std::all_of(removed_.begin(), removed_.end(), idle);
}

void WorkerCluster::sweep_removed() {
  // Their connections may still be on the loop's list of things to delete.
  std::erase_if(removed_, [this](std::unique_ptr<Host>& host) {
    if (!host->unused()) return false;
    loop_.retire(std::move(host));
    return true;
  });
}

Host* WorkerCluster::pick(std::optional<uint64_t> hash, std::span<Host* const> avoid) {
  avoid_scratch_.clear();
  // Those to avoid may be destroyed by now: they are compared, never looked into.
  for (size_t i = 0; !avoid.empty() && i < hosts_.size(); ++i)
    if (std::find(avoid.begin(), avoid.end(), hosts_[i].get()) != avoid.end())
      avoid_scratch_.push_back(static_cast<uint32_t>(i));
  PickInput input;
  input.random = loop_.random();
  input.hash = hash;
  input.active = active_;
  input.avoid = avoid_scratch_;
  input.now_ms = loop_.now_ms();
  const int index = picker_->pick(input);
  return index == Picker::kNone ? nullptr : hosts_[static_cast<size_t>(index)].get();
}

Host* WorkerCluster::host_for(const net::Address& address) {
  if (const auto found = by_address_.find(address); found != by_address_.end())
    return found->second;
  sweep_original();
  Endpoint endpoint;
  endpoint.address = address;
  endpoint.address_text = address.text();
  endpoint.hostname = endpoint.address_text;
  auto host = std::make_unique<Host>(*this, loop_, std::move(endpoint));
  host->index = static_cast<uint32_t>(hosts_.size());
  active_.push_back(0);
  hosts_.push_back(std::move(host));
  by_address_[address] = hosts_.back().get();
  return hosts_.back().get();
}

// Clients choose these hosts: those that nobody uses any more must not pile up.
void WorkerCluster::sweep_original() {
  const int64_t now = loop_.now_ms();
  if (now - swept_ms_ < config().cleanup_interval_ms) return;
  swept_ms_ = now;
  std::erase_if(hosts_, [this](std::unique_ptr<Host>& host) {
    if (!host->unused()) return false;
    by_address_.erase(host->endpoint().address);
    loop_.retire(std::move(host));
    return true;
  });
  active_.assign(hosts_.size(), 0);
  for (size_t i = 0; i < hosts_.size(); ++i) {
    hosts_[i]->index = static_cast<uint32_t>(i);
    active_[i] = hosts_[i]->requests;
  }
}

void WorkerCluster::begin(Host& host) {
  ++host.requests;
  ++host.counters.rq_total;
  if (!host.removed) ++active_[host.index];
  stats_.inc(stats().rq_total);
  stats_.add(stats().rq_active, 1);
}

void WorkerCluster::end(Host& host) {
  --host.requests;
  stats_.add(stats().rq_active, -1);
  if (!host.removed) {
    --active_[host.index];
  } else {
    sweep_removed();
  }
}

}  // namespace weir::upstream
