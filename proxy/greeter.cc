#include "proxy/greeter.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "proxy/entrance.h"
#include "proxy/net/client_hello.h"
#include "proxy/net/proxy_protocol.h"
#include "proxy/tls/transport_socket.h"
#include "proxy/worker.h"

namespace weir {
namespace {

// What filters get to see at once: the largest of what they look for, and the heads of its records.
constexpr size_t kPeekBytes = 20 * 1024;
static_assert(kPeekBytes > net::kMaxClientHelloBytes && kPeekBytes > net::kMaxProxyV2Bytes);
static_assert(kPeekBytes <= net::Loop::kReadBytes);

}  // namespace

Greeter::Greeter(Worker& worker, Entrance& entrance, int fd, const net::Address& peer)
    : worker_(worker),
      entrance_(entrance),
      timer_(*this),
      accepted_ns_(worker.loop().now_ns()),
      fd_(fd) {
  approach_.local = entrance.local_of(fd);
  approach_.peer = approach_.direct_peer = peer;
}

Greeter::~Greeter() = default;

void Greeter::start() {
  const ListenerConfig& config = entrance_.config();
  worker_.stats().add(config.stats.pre_cx_active, 1);
  if (config.filters.empty()) return filters_passed();
  if (config.filters_timeout_ms > 0)
    timer_.set(worker_.loop().timers(), worker_.loop().now_ms() + config.filters_timeout_ms);
  run_filters();
}

// `details`: for the log.
void Greeter::give_up(std::string_view details, uint32_t flags) {
  if (chain_ == nullptr) stop_filters();
  timer_.cancel();
  if (handshake_ != nullptr) handshake_->close();
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  log(details, flags);
  entrance_.connection_closed(accepted_ns_ / 1'000'000);
  entrance_.dismiss(*this);
}

void Greeter::log(std::string_view details, uint32_t flags) {
  http::StreamInfo info;
  info.details = details;
  info.flags = flags;
  if (chain_ != nullptr) info.filter_chain = chain_->name;
  if (handshake_ != nullptr) info.tls = handshake_->tls();
  entrance_.log_unserved(info, approach_, accepted_ns_);
}

void Greeter::drain(int64_t grace_ms) {
  if (grace_ms == 0 && !heard_ && chain_ == nullptr) close();
}

// ---- the filters ----

void Greeter::on_ready(uint8_t ready) {
  if ((ready & net::kPeerClosed) != 0) peer_closed_ = true;
  if ((ready & net::kReadable) != 0) run_filters();
}

void Greeter::run_filters() {
  std::string_view bytes;
  const size_t count = entrance_.config().filters.size();
  while (next_filter_ < count)
    if (!run_next_filter(bytes)) return;
  filters_passed();
}

// False: it is not its successor's turn.
bool Greeter::run_next_filter(std::string_view& bytes) {
  const ConfiguredListenerFilter& configured = entrance_.config().filters[next_filter_];
  if (configured.is_disabled(approach_)) return ++next_filter_, true;
  const ListenerFilter& filter = configured.filter;
  if (bytes.empty() && !needs_no_bytes(filter)) {
    const Peek peeked = peek(bytes);
    if (peeked == Peek::kNothing) return wait(bytes), false;
    if (peeked == Peek::kEnded) {
      ended();
      return false;
    }
  }
  const FilterVerdict verdict = look(filter, fd_, bytes, approach_, worker_.stats());
  if (verdict.kind == FilterVerdict::Kind::kWait) return wait(bytes), false;
  if (verdict.kind == FilterVerdict::Kind::kRefuse) return refuse(), false;
  ++next_filter_;
  if (verdict.consumed == 0) return true;
  // They are there: the filter has seen them.
  recv(fd_, worker_.loop().read_scratch(), verdict.consumed, 0);
  bytes = {};
  return true;
}

Greeter::Peek Greeter::peek(std::string_view& bytes) {
  char* scratch = worker_.loop().read_scratch();
  ssize_t n = -1;
  do {
    n = recv(fd_, scratch, kPeekBytes, MSG_PEEK);
  } while (n < 0 && errno == EINTR);
  if (n < 0) return errno == EAGAIN ? Peek::kNothing : Peek::kEnded;
  if (n == 0) return Peek::kEnded;
  heard_ = true;
  bytes = {scratch, static_cast<size_t>(n)};
  return Peek::kBytes;
}

void Greeter::wait(std::string_view bytes) {
  if (bytes.size() == kPeekBytes) return refuse();
  if (peer_closed_) return ended();
  if (watching_) return;
  watching_ = true;
  watch_.start(worker_.loop(), fd_, *this);
}

void Greeter::refuse() {
  worker_.stats().inc(entrance_.config().stats.filter_error);
  give_up("listener_filter_refused");
}

void Greeter::ended() {
  worker_.stats().inc(entrance_.config().stats.filter_remote_close);
  give_up("listener_filter_remote_close");
}

void Greeter::stop_filters() {
  watch_.stop();
  timer_.cancel();
  worker_.stats().add(entrance_.config().stats.pre_cx_active, -1);
}

void Greeter::filters_passed() {
  auto chain = entrance_.choose(approach_);
  if (chain == nullptr) return give_up(kNoChainDetails, http::kNoRouteFound);
  stop_filters();
  chain_ = std::move(chain);
  if (chain_->tls != nullptr) return start_handshake();
  hand_over({std::exchange(fd_, -1)});
}

// ---- the handshake ----

void Greeter::start_handshake() {
  net::Loop& loop = worker_.loop();
  auto session = chain_->tls->new_session();
  if (session == nullptr) {
    worker_.stats().inc(entrance_.config().stats.secrets_not_ready);
    return give_up("secrets_not_ready");
  }
  chain_->tls->log_keys(*session, approach_.local, approach_.peer);
  if (chain_->handshake_timeout_ms > 0)
    timer_.set(loop.timers(), loop.now_ms() + chain_->handshake_timeout_ms);
  net::Connection::Owner& owner = *this;
  handshake_ = std::make_unique<net::Connection>(loop, owner);
  handshake_->adopt({std::exchange(fd_, -1), std::move(session)});
}

void Greeter::on_connected(int error) {
  timer_.cancel();
  chain_->tls->stats().on_handshake(worker_.stats(), *handshake_->tls(), error);
  if (error != 0) return close();
  hand_over(handshake_->release());
}

void Greeter::on_write_error(int /*error*/) {
  close();
}

void Greeter::hand_over(net::Socket socket) {
  http::Arrival arrival;
  arrival.socket = std::move(socket);
  arrival.accepted_ns = accepted_ns_;
  arrival.peer = approach_.peer;
  if (entrance_.fixed_local() == nullptr || !(approach_.local == *entrance_.fixed_local()))
    arrival.own_local = std::make_unique<const net::Address>(approach_.local);
  if (!(approach_.peer == approach_.direct_peer) || !approach_.tlvs.empty())
    arrival.relay = std::make_unique<const net::ProxyRelay>(
        net::ProxyRelay{approach_.direct_peer, std::move(approach_.tlvs)});
  // This object is retired, and lives until the end of the turn.
  entrance_.dismiss(*this);
  entrance_.enter(chain_, std::move(arrival), std::move(approach_.server_name));
}

// ---- time ----

void Greeter::on_timer(net::Timer& /*timer*/) {
  const ListenerConfig& config = entrance_.config();
  if (handshake_ != nullptr) {
    worker_.stats().inc(config.stats.handshake_timeout);
    return give_up("transport_socket_connect_timeout");
  }
  worker_.stats().inc(config.stats.pre_cx_timeout);
  if (!config.continue_on_filters_timeout) return give_up("listener_filter_timeout");
  filters_passed();
}

}  // namespace weir
