#include "proxy/upstream/worker_cluster.h"

#include <algorithm>
#include <utility>

#include "proxy/http/host.h"
#include "proxy/tls/transport_socket.h"
#include "proxy/upstream/balancer_plan.h"
#include "proxy/upstream/host_moves.h"

namespace weir::upstream {
namespace {

constexpr uint16_t kMaxStatus = 599;  // beyond, a code has no counter of its own

http::H1ClientOptions h1_options_of(const ClusterConfig& config) {
  http::H1ClientOptions options;
  options.limits.max_header_count = config.max_response_headers_count;
  options.limits.max_head_bytes = size_t{config.max_response_headers_kb} * 1024;
  options.pass_trailers = config.pass_trailers;
  options.absolute_targets = config.absolute_targets;
  options.header_case = config.header_keys.header_case;
  options.spelling = config.header_keys.spelling;
  return options;
}

}  // namespace

// ---- one endpoint ----

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

void Host::revive() {
  pools_.revive();
  for (auto& [key, pools] : named_) pools->revive();
}

bool Host::unused() const {
  const auto idle = [](const auto& named) { return named.second->unused(); };
  return requests == 0 && remembered == 0 && pools_.unused() &&
         std::all_of(named_.begin(), named_.end(), idle);
}

size_t Host::connections() const {
  size_t sum = pools_.connections();
  for (const auto& [key, pools] : named_) sum += pools->connections();
  return sum;
}

// ---- what its connections begin with ----

const tls::ClientTls* Host::tls() const {
  const ClusterConfig& config = cluster_.config();
  if (endpoint_->transport < 0) return config.tls.get();
  return config.transport_matches[static_cast<size_t>(endpoint_->transport)].tls.get();
}

const net::ProxyIntroduction* Host::introduction() const {
  const ClusterConfig& config = cluster_.config();
  const auto& found =
      endpoint_->transport < 0
          ? config.introduction
          : config.transport_matches[static_cast<size_t>(endpoint_->transport)].introduction;
  return found ? &*found : nullptr;
}

std::unique_ptr<net::TlsSession> Host::new_session() const {
  const tls::ClientTls* tls = this->tls();
  if (tls == nullptr) return nullptr;
  tls::ClientWanted wanted;
  wanted.host_name = endpoint_->hostname;
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
      byte_counts_{stats.cell(cluster_->stats.rx_bytes), stats.cell(cluster_->stats.tx_bytes)},
      connections_{Lease(cluster_->limits[0].connections), Lease(cluster_->limits[1].connections)},
      pending_{Lease(cluster_->limits[0].pending), Lease(cluster_->limits[1].pending)},
      requests_{Lease(cluster_->limits[0].requests), Lease(cluster_->limits[1].requests)},
      retries_{Lease(cluster_->limits[0].retries), Lease(cluster_->limits[1].retries)},
      h1_options_(h1_options_of(*cluster_->config)),
      leaving_(loop) {
  update(std::move(plan), std::move(hosts));
}

stats::CounterId WorkerCluster::name_code(uint16_t status, bool retried) {
  if (status > kMaxStatus) return {};
  const std::string name = "cluster." + config().stat_name + (retried ? ".retry." : ".") +
                           "upstream_rq_" + std::to_string(status);
  const stats::CounterId counter = cluster_->registry.counter(name);
  by_code_.push_back({status, retried, counter});
  return counter;
}

// The budget is a share of the requests under way, those that wait for a connection included; it
// counts at the moment of the decision.
bool WorkerCluster::try_retry(bool high) {
  const Thresholds& thresholds = config().thresholds[high];
  if (!thresholds.retry_budget_percent) return retries_[high].try_acquire();
  const ClusterLimits& limits = cluster_->limits[high];
  const double under_way = limits.requests.held() + limits.pending.held();
  const double share = *thresholds.retry_budget_percent / 100 * under_way;
  return retries_[high].try_acquire_below(
      std::max(static_cast<uint32_t>(share), thresholds.retry_budget_min));
}

WorkerCluster::~WorkerCluster() = default;

std::shared_ptr<tls::SessionCache> WorkerCluster::session_cache(const tls::ClientTls& tls) {
  const auto [at, is_new] = session_caches_.try_emplace(&tls);
  if (is_new) at->second = tls.context()->new_cache();
  return at->second;
}

// ---- its host set ----

void WorkerCluster::update(std::shared_ptr<const BalancerPlan> plan,
                           std::shared_ptr<const HostSet> hosts) {
  if (host_set_ == nullptr) {
    hosts_.resize(hosts->endpoints.size());
    active_.resize(hosts->endpoints.size());
  } else if (const HostMoves* known = plan->moves_from(plan_)) {
    follow(*known, *hosts);
  } else {
    follow(find_moves(*host_set_, *hosts), *hosts);
  }
  host_set_ = std::move(hosts);
  plan_ = std::move(plan);
  picker_ = make_picker(plan_, loop_.random());
  follow_drops();
}

void WorkerCluster::follow(const HostMoves& moves, const HostSet& hosts) {
  if (!moves.in_place) move_hosts(moves, hosts.endpoints.size());
  for (const uint32_t i : moves.changed) {
    if (hosts_[i] == nullptr) continue;
    hosts_[i]->update(hosts.endpoints.shared(i));
    hosts_[i]->revive();
  }
}

void WorkerCluster::move_hosts(const HostMoves& moves, size_t size) {
  std::vector<std::unique_ptr<Host>> hosts(size);
  std::vector<uint32_t> active(size);
  for (size_t i = 0; i < hosts_.size(); ++i) {
    if (hosts_[i] == nullptr) continue;
    const uint32_t to = moves.to[i];
    if (to == HostMoves::kGone) {
      leaving_.add(std::move(hosts_[i]));
      continue;
    }
    hosts_[i]->index = to;
    active[to] = hosts_[i]->requests;
    hosts[to] = std::move(hosts_[i]);
  }
  hosts_ = std::move(hosts);
  active_ = std::move(active);
  leaving_.work();
}

// One that left, and comes back before its connections have ended, goes on with them.
Host& WorkerCluster::make_host(uint32_t index) {
  const std::shared_ptr<const Endpoint>& endpoint = host_set_->endpoints.shared(index);
  std::unique_ptr<Host> host = leaving_.take(endpoint->address);
  if (host == nullptr) {
    host = std::make_unique<Host>(*this, loop_, endpoint);
  } else {
    host->update(endpoint);
    host->revive();
  }
  host->index = index;
  active_[index] = host->requests;
  if (draining_) host->drain();
  hosts_[index] = std::move(host);
  return *hosts_[index];
}

void WorkerCluster::drain() {
  draining_ = true;
  by_address_.clear();
  for (std::unique_ptr<Host>& host : hosts_)
    if (host != nullptr) leaving_.add(std::move(host));
  hosts_.resize(host_set_->endpoints.size());  // without those of ORIGINAL_DST
  active_.assign(hosts_.size(), 0);
  leaving_.work();
}

void WorkerCluster::drain_hosts(const std::vector<net::Address>& addresses) {
  for (auto& host : hosts_)
    if (host != nullptr &&
        std::find(addresses.begin(), addresses.end(), host->endpoint().address) != addresses.end())
      host->drain();
}

bool WorkerCluster::unused() const {
  // A request that waits for its next attempt has no host, but its place among the retries.
  for (int i = 0; i < 2; ++i) {
    const uint32_t in_use = requests_[i].in_use() + retries_[i].in_use() + connections_[i].in_use();
    if (in_use > 0) return false;
  }
  return leaving_.unused() &&
         std::all_of(hosts_.begin(), hosts_.end(), [](const std::unique_ptr<Host>& host) {
           return host == nullptr || host->unused();
         });
}

void WorkerCluster::forget(Host& host) {
  --host.remembered;
  if (host.removed) leaving_.check(host);
}

// ---- requests that are dropped ----

void WorkerCluster::follow_drops() {
  const DropPolicy* policy = host_set_->drops.get();
  if (policy != nullptr && drop_counts_ == nullptr) drop_counts_ = std::make_unique<DropCounts>();
  if (drop_counts_ != nullptr) drop_counts_->follow(policy);
}

void WorkerCluster::take_drop_counts(WorkerCluster& before) {
  if (before.drop_counts_ == nullptr) return;
  drop_counts_ = std::move(before.drop_counts_);
  follow_drops();
  before.follow_drops();
}

// As a response of the upstream's it counts too, as in Envoy.
Drop WorkerCluster::decide_drop() {
  const DropPolicy& policy = *host_set_->drops;
  const uint64_t most = cluster_->drop_limit->most();
  const std::optional<size_t> category = policy.choose(loop_.random(), most);
  if (!category) return Drop::kNo;
  drop_counts_->add(*category);
  stats_.inc(stats().rq_drop_overload);
  stats_.inc(stats().rq_completed);
  count_response(503);
  return policy.share(most) == DropPolicy::kAll ? Drop::kAll : Drop::kSome;
}

// ---- requests ----

Host* WorkerCluster::pick(std::optional<uint64_t> hash, std::span<Host* const> avoid) {
  avoid_scratch_.clear();
  for (const Host* tried : avoid)
    if (!tried->removed) avoid_scratch_.push_back(tried->index);
  PickInput input;
  input.random = loop_.random();
  input.hash = hash;
  input.active = active_;
  input.avoid = avoid_scratch_;
  input.now_ms = loop_.now_ms();
  const int index = picker_->pick(input);
  return index == Picker::kNone ? nullptr : &host(static_cast<uint32_t>(index));
}

Host* WorkerCluster::host_for(net::Address address) {
  if (const auto port = config().original_dst_port)
    address = address.with_port(static_cast<uint16_t>(*port));
  if (const auto found = by_address_.find(address); found != by_address_.end())
    return found->second;
  sweep_original();
  Endpoint endpoint;
  endpoint.address = address;
  endpoint.address_text = address.text();
  endpoint.hostname = endpoint.address_text;
  auto host =
      std::make_unique<Host>(*this, loop_, std::make_shared<const Endpoint>(std::move(endpoint)));
  if (draining_) host->drain();
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
  if (!host.removed) ++active_[host.index];
}

void WorkerCluster::end(Host& host) {
  --host.requests;
  if (!host.removed) {
    --active_[host.index];
  } else {
    leaving_.check(host);
  }
}

void WorkerCluster::attach(Host& host) {
  ++host.attached;
  ++host.counters.rq_total;
  stats_.inc(stats().rq_total);
  stats_.add(stats().rq_active, 1);
}

void WorkerCluster::detach(Host& host) {
  --host.attached;
  stats_.add(stats().rq_active, -1);
}

}  // namespace weir::upstream
