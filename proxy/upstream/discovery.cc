#include "proxy/upstream/discovery.h"

#include <algorithm>
#include <optional>
#include <set>
#include <utility>
#include <vector>

namespace weir::upstream {
namespace {

DnsSettings settings_of(const ClusterConfig& config) {
  DnsSettings settings;
  settings.servers = config.resolvers.servers;
  settings.over_tcp = config.resolvers.over_tcp;
  settings.search_domains = config.resolvers.search_domains;
  return settings;
}

// An order that does not change with the server's rotation, so that equal answers give equal sets.
void sort_unique(std::vector<net::Address>& addresses) {
  const auto key = [](const net::Address& a) { return std::pair(a.family(), a.ip_text()); };
  std::sort(addresses.begin(), addresses.end(),
            [&](const net::Address& a, const net::Address& b) { return key(a) < key(b); });
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
}

}  // namespace

// The names of one cluster and what they lead to.
class Discovery::DnsCluster {
 public:
  // `before`: the cluster that this one replaces; may be null.
  DnsCluster(Discovery& discovery, std::shared_ptr<const ClusterConfig> config,
             const DnsCluster* before)
      : discovery_(discovery), config_(std::move(config)) {
    if (before != nullptr) old_hosts_ = before->hosts_;
    for (const DnsTarget& target : config_->targets)
      names_.push_back(std::make_unique<Name>(*this, target, known_to(before, target)));
  }

  // What is called in here may remove this cluster: it is then retired, and still there.
  void start() {
    starting_ = true;
    for (const auto& name : names_) {
      if (!stopped_) name->start();
    }
    starting_ = false;
    publish_if_changed();
    tell_if_initialised();
  }
  void stop() {
    stopped_ = true;
    for (const auto& name : names_) name->stop();
  }

  bool initialised() const { return initialised_; }
  std::shared_ptr<const HostSet> hosts() const { return hosts_; }

 private:
  // One name, asked for again and again.
  class Name : private net::Timer::Owner {
   public:
    Name(DnsCluster& cluster, const DnsTarget& target, std::vector<net::Address> before)
        : cluster_(cluster),
          target_(target),
          before_(std::move(before)),
          timer_(*this),
          query_(cluster.discovery_.resolver_, settings_of(*cluster.config_),
                 [this](const DnsAnswer& answer) { on_answer(answer); }) {}

    void start() {
      const Result<net::Address> literal = net::Address::ip(target_.name, 0);
      if (!literal.ok()) return query_.start(target_.name, cluster_.config_->dns_family);
      answered_ = true;
      set_addresses({*literal});
    }
    void stop() {
      timer_.cancel();
      query_.cancel();
    }
    bool answered() const { return answered_; }
    const DnsTarget& target() const { return target_; }
    const std::vector<net::Address>& addresses() const { return addresses_; }
    // The last answer, also one to the cluster before, for whoever cannot ask.
    const std::vector<net::Address>& last() const { return answered_ ? addresses_ : before_; }

   private:
    void on_timer(net::Timer& /*timer*/) override {
      query_.start(target_.name, cluster_.config_->dns_family);
    }

    void on_answer(const DnsAnswer& answer) {
      const bool first = !std::exchange(answered_, true);
      const bool logical = cluster_.logical();
      // One endpoint without an address could not be used; several may well become none.
      const bool usable = answer.status == DnsAnswer::Status::kFound ||
                          (answer.status == DnsAnswer::Status::kNone && !logical);
      if (usable) {
        std::vector<net::Address> addresses = answer.addresses;
        if (logical)
          addresses.resize(1);
        else
          sort_unique(addresses);
        set_addresses(std::move(addresses));
      } else if (first) {
        set_addresses(before_);
      }
      schedule(usable ? refresh_ms(answer) : back_off_ms());
      cluster_.on_answer(answer.status);
    }

    void set_addresses(std::vector<net::Address> addresses) {
      if (addresses == addresses_) return;
      addresses_ = std::move(addresses);
      cluster_.changed_ = true;
    }

    void schedule(int64_t delay_ms) {
      net::Loop& loop = cluster_.discovery_.loop_;
      timer_.set(loop.timers(), loop.now_ms() + delay_ms);
    }

    uint64_t random() { return cluster_.discovery_.loop_.random(); }

    int64_t refresh_ms(const DnsAnswer& answer) {
      const ClusterConfig& config = *cluster_.config_;
      failures_ = 0;
      int64_t delay_ms = config.dns_refresh_ms;
      if (config.respect_dns_ttl && answer.ttl_s > 0) delay_ms = int64_t{answer.ttl_s} * 1000;
      if (config.dns_jitter_ms > 0)
        delay_ms += static_cast<int64_t>(random() % static_cast<uint64_t>(config.dns_jitter_ms));
      return delay_ms;
    }

    // Doubles with each failure; spread over its upper half, so that clusters that failed together
    // do not ask together for ever.
    int64_t back_off_ms() {
      const ClusterConfig& config = *cluster_.config_;
      int64_t delay_ms = config.dns_failure_base_ms;
      for (int i = 0; i < failures_ && delay_ms < config.dns_failure_max_ms; ++i) delay_ms *= 2;
      delay_ms = std::max<int64_t>(1, std::min(delay_ms, config.dns_failure_max_ms));
      failures_ = std::min(failures_ + 1, 62);
      return delay_ms - static_cast<int64_t>(random() % static_cast<uint64_t>(delay_ms / 2 + 1));
    }

    DnsCluster& cluster_;
    const DnsTarget& target_;
    const std::vector<net::Address> before_;  // what the name led to before this cluster
    net::Timer timer_;
    DnsQuery query_;
    std::vector<net::Address> addresses_;
    int failures_ = 0;
    bool answered_ = false;
  };

  // What a cluster of the same kind has last heard of the name.
  std::vector<net::Address> known_to(const DnsCluster* before, const DnsTarget& target) const {
    if (before == nullptr || before->config_->dns_family != config_->dns_family ||
        before->logical() != logical())
      return {};
    for (const auto& name : before->names_)
      if (name->target().name == target.name) return name->last();
    return {};
  }

  bool logical() const { return config_->discovery == ClusterConfig::Discovery::kLogicalDns; }

  void on_answer(DnsAnswer::Status status) {
    if (discovery_.events_.asked) discovery_.events_.asked(config_->name, status);
    // While names are started, answers that are there at once are gathered.
    if (starting_) return;
    publish_if_changed();
    tell_if_initialised();
  }

  void publish_if_changed() {
    if (stopped_ || !std::exchange(changed_, false)) return;
    HostSet set = build();
    // Another name may lead to the same hosts.
    if (hosts_ != nullptr && !differs(*hosts_, set)) return;
    set.version = hosts_ == nullptr ? 1 : hosts_->version + 1;
    hosts_ = std::make_shared<const HostSet>(std::move(set));
    old_hosts_ = nullptr;
    discovery_.events_.publish(config_->name, hosts_);
  }

  void tell_if_initialised() {
    const bool all = std::all_of(names_.begin(), names_.end(),
                                 [](const auto& name) { return name->answered(); });
    if (stopped_ || !all || std::exchange(initialised_, true)) return;
    discovery_.events_.initialised(config_->name);
  }

  // Of one configuration, sets can differ in addresses only.
  static bool differs(const HostSet& a, const HostSet& b) {
    return !std::equal(a.endpoints.begin(), a.endpoints.end(), b.endpoints.begin(),
                       b.endpoints.end(), [](const Endpoint& x, const Endpoint& y) {
                         return x.address == y.address && x.priority == y.priority &&
                                x.locality == y.locality;
                       });
  }

  HostSet build() const {
    HostSet set = config_->hosts;  // its policy; endpoints it has none
    set.localities = config_->target_localities;
    const std::map<Key, int64_t> old_times = times_of_old_hosts();
    std::set<Key> seen;
    for (const auto& name : names_) {
      for (const net::Address& address : name->addresses()) {
        Endpoint endpoint = name->target().prototype;
        endpoint.address = address.with_port(name->target().port);
        endpoint.address_text = endpoint.address.text();
        endpoint.logical = logical();
        const Key key = key_of(endpoint);
        // Several names may lead to one host; within a priority the first counts.
        if (!seen.insert(key).second) continue;
        const auto old = old_times.find(key);
        endpoint.added_ms = old == old_times.end() ? discovery_.loop_.now_ms() : old->second;
        set.endpoints.push_back(std::move(endpoint));
      }
    }
    return set;
  }

  // What an endpoint keeps when it comes up again.
  using Key = std::pair<uint32_t, std::string>;
  static Key key_of(const Endpoint& endpoint) {
    return {endpoint.priority, endpoint.logical ? endpoint.hostname : endpoint.address_text};
  }

  std::map<Key, int64_t> times_of_old_hosts() const {
    std::map<Key, int64_t> times;
    const HostSet* old = hosts_ != nullptr ? hosts_.get() : old_hosts_.get();
    if (old == nullptr) return times;
    for (const Endpoint& endpoint : old->endpoints) times[key_of(endpoint)] = endpoint.added_ms;
    return times;
  }

  Discovery& discovery_;
  const std::shared_ptr<const ClusterConfig> config_;
  std::shared_ptr<const HostSet> hosts_;
  std::shared_ptr<const HostSet> old_hosts_;  // of the cluster that this one replaced
  std::vector<std::unique_ptr<Name>> names_;
  bool changed_ = false;  // some name's addresses, since the last publication
  bool starting_ = false;
  bool stopped_ = false;
  bool initialised_ = false;
};

Discovery::Discovery(net::Loop& loop, DiscoveryEvents events)
    : loop_(loop), events_(std::move(events)), resolver_(loop) {}

Discovery::~Discovery() = default;

void Discovery::add(std::shared_ptr<const ClusterConfig> config) {
  const std::string name = config->name;
  const auto before = clusters_.find(name);
  auto cluster = std::make_unique<DnsCluster>(
      *this, std::move(config), before == clusters_.end() ? nullptr : before->second.get());
  remove(name);
  DnsCluster& started = *cluster;
  clusters_.emplace(name, std::move(cluster));
  started.start();
}

void Discovery::remove(const std::string& cluster) {
  const auto at = clusters_.find(cluster);
  if (at == clusters_.end()) return;
  at->second->stop();
  // It may be the one that is just calling.
  loop_.retire(std::move(at->second));
  clusters_.erase(at);
}

std::shared_ptr<const HostSet> Discovery::hosts(const std::string& cluster) const {
  const auto at = clusters_.find(cluster);
  return at == clusters_.end() ? nullptr : at->second->hosts();
}

bool Discovery::initialised() const {
  return std::all_of(clusters_.begin(), clusters_.end(),
                     [](const auto& entry) { return entry.second->initialised(); });
}

}  // namespace weir::upstream
