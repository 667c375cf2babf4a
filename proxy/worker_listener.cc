#include "proxy/worker_listener.h"

#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "proxy/worker.h"

namespace weir {
namespace {

// Out of descriptors, accepting again at once would spin: the listening socket stays readable.
constexpr int64_t kPauseMs = 100;

void set_keepalive(int fd, const ListenerConfig& config) {
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
  const auto set = [&](int option, uint32_t value) {
    if (value == 0) return;
    const int v = static_cast<int>(value);
    setsockopt(fd, IPPROTO_TCP, option, &v, sizeof(v));
  };
  set(TCP_KEEPCNT, config.keepalive_probes);
  set(TCP_KEEPIDLE, config.keepalive_time_s);
  set(TCP_KEEPINTVL, config.keepalive_interval_s);
}

net::Address local_of(int fd) {
  sockaddr_storage address;
  socklen_t length = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) != 0) return {};
  return net::Address::from_sockaddr(reinterpret_cast<sockaddr*>(&address), length);
}

}  // namespace

// ---- a listening socket ----

WorkerListener::Socket::~Socket() {
  watch_.stop();
  close(fd_);
}

void WorkerListener::Socket::watch(bool on) {
  watch_.stop();
  if (on) watch_.start_level(listener_.worker_.loop(), fd_, *this);
}

void WorkerListener::Socket::on_ready(uint8_t /*ready*/) {
  for (uint32_t i = 0; i < listener_.config_->max_accepts_per_event; ++i)
    if (!listener_.accept_one(fd_)) return;
}

// ---- the listener ----

WorkerListener::WorkerListener(Worker& worker, std::shared_ptr<const ListenerConfig> config,
                               std::vector<int> sockets)
    : worker_(worker), config_(std::move(config)), resume_(*this) {
  open_doors();
  for (int fd : sockets) {
    sockets_.push_back(std::make_unique<Socket>(*this, fd));
    sockets_.back()->watch(true);
  }
}

WorkerListener::~WorkerListener() = default;

void WorkerListener::open_doors() {
  std::optional<net::Address> local;
  if (config_->addresses.size() == 1 && !config_->addresses[0].is_any() &&
      config_->addresses[0].port() != 0)
    local = config_->addresses[0];
  const auto open = [&](const ChainConfig& chain) {
    const auto* hcm = std::get_if<std::shared_ptr<const HcmConfig>>(&chain.app);
    doors_.push_back(hcm == nullptr ? nullptr : std::make_unique<HttpDoor>(worker_, *hcm, local));
  };
  for (const ChainConfig& chain : config_->chains) open(chain);
  if (config_->default_chain) open(*config_->default_chain);
}

bool WorkerListener::accept_one(int listening) {
  sockaddr_storage address;
  socklen_t length = sizeof(address);
  const int fd = accept4(listening, reinterpret_cast<sockaddr*>(&address), &length,
                         SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) {
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
      pause_accepting();
    return errno == EINTR || errno == ECONNABORTED;
  }
  admit(fd, net::Address::from_sockaddr(reinterpret_cast<sockaddr*>(&address), length));
  return true;
}

void WorkerListener::admit(int fd, const net::Address& peer) {
  stats::Shard& stats = worker_.stats();
  stats.inc(config_->cx_total);
  if (config_->max_connections > 0 && connections() >= config_->max_connections) {
    stats.inc(config_->cx_overflow);
    close(fd);
    return;
  }
  const ChainConfig* chain = config_->single_chain();
  if (chain == nullptr) chain = config_->chain_for(local_of(fd), peer);
  if (chain == nullptr) {
    stats.inc(config_->no_chain_match);
    close(fd);
    return;
  }
  if (peer.is_ip()) net::Connection::set_no_delay(fd);
  if (config_->tcp_keepalive) set_keepalive(fd, *config_);
  if (const auto* tcp = std::get_if<std::shared_ptr<const TcpProxyConfig>>(&chain->app)) {
    auto relay = std::make_unique<TcpRelay>(worker_, *tcp, config_->buffer_limit_bytes);
    TcpRelay& started = *relay;
    worker_.add_relay(std::move(relay));
    return started.start(fd, peer, local_of(fd));
  }
  const size_t index = chain == (config_->default_chain ? &*config_->default_chain : nullptr)
                           ? doors_.size() - 1
                           : static_cast<size_t>(chain - config_->chains.data());
  doors_[index]->accept(fd, peer, config_->buffer_limit_bytes);
}

void WorkerListener::pause_accepting() {
  if (paused_) return;
  paused_ = true;
  for (const auto& socket : sockets_) socket->watch(false);
  resume_.set(worker_.loop().timers(), worker_.loop().now_ms() + kPauseMs);
}

void WorkerListener::on_timer(net::Timer& /*timer*/) {
  paused_ = false;
  for (const auto& socket : sockets_) socket->watch(true);
}

void WorkerListener::replace(std::shared_ptr<const ListenerConfig> config) {
  hand_over_doors();
  config_ = std::move(config);
  open_doors();
}

void WorkerListener::hand_over_doors() {
  for (auto& door : doors_)
    if (door != nullptr) worker_.retire_door(std::move(door));
  doors_.clear();
}

void WorkerListener::stop_accepting() {
  resume_.cancel();
  sockets_.clear();
}

void WorkerListener::drain() {
  for (const auto& door : doors_)
    if (door != nullptr) door->drain(0);
}

void WorkerListener::close_connections() {
  for (const auto& door : doors_)
    if (door != nullptr) door->close_all();
}

size_t WorkerListener::connections() const {
  size_t sum = 0;
  for (const auto& door : doors_)
    if (door != nullptr) sum += door->connections();
  return sum;
}

}  // namespace weir
