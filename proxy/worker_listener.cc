#include "proxy/worker_listener.h"

#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

#include "proxy/worker.h"

namespace weir {
namespace {

// Out of descriptors, or of something else, accepting again at once would spin: the listening
// socket stays readable.
constexpr int64_t kPauseMs = 100;

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
  if (listener_.overloaded()) return listener_.pause_accepting();
  for (uint32_t i = 0; i < listener_.config().max_accepts_per_event; ++i)
    if (!listener_.accept_one(fd_)) return;
}

// Of a listener under load the queue never ends: what it can hold is taken, and a little more.
void WorkerListener::Socket::take_waiting() {
  for (uint32_t i = 0; i <= listener_.config().backlog; ++i)
    if (!listener_.accept_one(fd_)) return;
}

// ---- the listener ----

WorkerListener::WorkerListener(Worker& worker, std::shared_ptr<const ListenerConfig> config,
                               std::vector<int> sockets)
    : worker_(worker),
      entrance_(std::make_unique<Entrance>(worker, std::move(config))),
      resume_(*this) {
  for (int fd : sockets) {
    sockets_.push_back(std::make_unique<Socket>(*this, fd));
    sockets_.back()->watch(true);
  }
}

WorkerListener::~WorkerListener() = default;

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
  entrance_->admit(fd, net::Address::from_sockaddr(reinterpret_cast<sockaddr*>(&address), length));
  return true;
}

// Whether connections are to wait in the sockets' queues.
bool WorkerListener::overloaded() const {
  const Overload* overload = config().overload;
  return overload != nullptr && !config().bypass_overload && overload->unaccepted.all();
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
  if (config->frame_hash == entrance_->config().frame_hash)
    return entrance_->update(std::move(config), worker_.drain_ms());
  const DrainClock clock = entrance_->drain_clock();
  worker_.retire_entrance(
      std::exchange(entrance_, std::make_unique<Entrance>(worker_, std::move(config))));
  entrance_->drain_by(clock);
}

void WorkerListener::hand_over_entrance() {
  worker_.retire_entrance(std::move(entrance_));
}

void WorkerListener::begin_drain(int64_t time_ms, DrainStrategy strategy) {
  DrainClock clock = entrance_->drain_clock();
  clock.start(worker_.loop().now_ms(), time_ms, strategy);
  entrance_->drain_by(clock);
}

void WorkerListener::stop_accepting(bool take_waiting) {
  if (take_waiting)
    for (const auto& socket : sockets_) socket->take_waiting();
  resume_.cancel();
  sockets_.clear();
}

}  // namespace weir
