#include "proxy/hot_restart_host.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace weir::hot_restart {
namespace {

constexpr int64_t kTickMs = 1000;
constexpr int kLastWordsMs = 1000;
constexpr size_t kCountersBytes = 32 * 1024;

Message refused(std::string why) {
  Message out;
  out.kind = Kind::kRefused;
  out.texts = {std::move(why)};
  return out;
}

}  // namespace

// ---- the socket that successors come to ----

class Host::Door : private net::Watch::Owner {
 public:
  Door(Host& host, int fd) : host_(host), fd_(fd) {}
  ~Door() override {
    watch_.stop();
    close(fd_);
  }

  bool open() {
    if (::listen(fd_, kMaxPeers) != 0) return false;
    watch_.start_level(host_.loop_, fd_, *this);
    return true;
  }
  int fd() const { return fd_; }

 private:
  void on_ready(uint8_t /*ready*/) override { host_.accept_all(); }

  Host& host_;
  net::Watch watch_;
  int fd_;
};

// ---- one that came ----

class Host::Peer : private net::Watch::Owner {
 public:
  Peer(Host& host, int fd) : host_(host), fd_(fd) { watch_.start(host.loop_, fd, *this); }
  ~Peer() override {
    watch_.stop();
    close(fd_);
  }

  // Descriptors are sent as they are, so what has any is not queued behind anything.
  void send(Message message) {
    out_.push_back(std::move(message));
    flush();
  }
  // False: not everything is sent.
  bool flush() {
    while (!out_.empty()) {
      if (Result<void> sent = hot_restart::send(fd_, out_.front()); !sent) return false;
      out_.pop_front();
    }
    return true;
  }
  int fd() const { return fd_; }

  bool greeted = false;

 private:
  void on_ready(uint8_t /*ready*/) override {
    flush();
    for (;;) {
      Result<Message> message = receive(fd_);
      if (message) {
        for (int fd : message->descriptors) close(fd);
        host_.answer(*this, *message);
        if (gone) return;
        continue;
      }
      if (message.error().code == "again") return;
      if (message.error().code != "closed") {
        host_.log_.warning(Component::kMain, message.error().message);
        send(refused(message.error().message));
      }
      return host_.drop(*this);
    }
  }

 public:
  bool gone = false;

 private:
  Host& host_;
  net::Watch watch_;
  int fd_;
  std::deque<Message> out_;
};

class Host::Ticker : private net::Timer::Owner {
 public:
  explicit Ticker(Host& host) : host_(host), timer_(*this) { arm(); }

 private:
  void arm() { timer_.set(host_.loop_.timers(), host_.loop_.now_ms() + kTickMs); }
  void on_timer(net::Timer& /*timer*/) override {
    host_.send_counters();
    arm();
  }

  Host& host_;
  net::Timer timer_;
};

// ---- the host ----

Host::Host(net::Loop& loop, Logger& log, int socket, uint32_t epoch, uid_t user, Hooks hooks)
    : loop_(loop),
      log_(log),
      epoch_(epoch),
      user_(user),
      hooks_(std::move(hooks)),
      door_(std::make_unique<Door>(*this, socket)) {}

Host::~Host() = default;

Result<void> Host::listen() {
  if (door_->open()) return {};
  return Error{"listen", "cannot listen on the hot restart's socket"};
}

void Host::accept_all() {
  for (;;) {
    const int fd = accept4(door_->fd(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    if (peer_user(fd) != user_ || peers_.size() >= kMaxPeers) {
      log_.warning(Component::kMain, "hot restart: user ", peer_user(fd), " is turned away");
      close(fd);
      continue;
    }
    peers_.push_back(std::make_unique<Peer>(*this, fd));
  }
}

void Host::drop(Peer& peer) {
  if (heir_ == &peer) {
    heir_ = nullptr;
    heir_gone_ = true;
    log_.warning(Component::kMain, "the process that took over is gone");
  } else if (peer.greeted) {
    log_.warning(Component::kMain, "the process that was to take over is gone; this one serves on");
  }
  const auto same = [&](const auto& one) { return one.get() == &peer; };
  const auto found = std::find_if(peers_.begin(), peers_.end(), same);
  peer.gone = true;
  loop_.retire(std::move(*found));
  peers_.erase(found);
}

void Host::answer(Peer& peer, const Message& request) {
  if (request.kind == Kind::kHello) return greet(peer, request);
  if (request.kind == Kind::kGetCommand) return send_command(peer);
  if (peer.greeted && request.kind == Kind::kGetSockets) return send_sockets(peer, request);
  if (peer.greeted && request.kind == Kind::kTakeOver && !taken_over())
    return hand_over(peer, static_cast<int64_t>(request.number));
  peer.send(refused("this message is not expected now"));
  drop(peer);
}

void Host::greet(Peer& peer, const Message& request) {
  const bool busy = taken_over() || std::any_of(peers_.begin(), peers_.end(), [&](const auto& one) {
                      return one.get() != &peer && one->greeted;
                    });
  std::string why;
  if (request.number != epoch_ + 1)
    why = "the process of epoch " + std::to_string(epoch_) + " is followed by epoch " +
          std::to_string(epoch_ + 1) + ", not " + std::to_string(request.number);
  if (busy) why = "another process is taking over already";
  if (!why.empty()) {
    peer.send(refused(std::move(why)));
    return drop(peer);
  }
  peer.greeted = true;
  Message welcome;
  welcome.kind = Kind::kWelcome;
  welcome.number = static_cast<uint64_t>(getpid());
  peer.send(std::move(welcome));
}

void Host::send_sockets(Peer& peer, const Message& request) {
  std::vector<int> sockets;
  if (request.texts.size() == 2) {
    Result<net::Address> address = net::Address::parse(request.texts[1]);
    if (!address) address = net::Address::unix_path(request.texts[1]);
    if (address) sockets = hooks_.sockets(request.texts[0], *address);
  }
  size_t next = 0;
  do {
    const size_t count = std::min(sockets.size() - next, kMaxDescriptors);
    Message answer;
    answer.kind = Kind::kSockets;
    answer.descriptors.assign(sockets.begin() + static_cast<ptrdiff_t>(next),
                              sockets.begin() + static_cast<ptrdiff_t>(next + count));
    next += count;
    answer.more = next < sockets.size();
    peer.send(std::move(answer));
  } while (next < sockets.size());
}

void Host::send_command(Peer& peer) {
  Message answer;
  answer.kind = Kind::kCommand;
  answer.number = epoch_;
  Command command = hooks_.command();
  answer.texts = {std::to_string(getpid()), std::move(command.directory)};
  for (std::string& argument : command.arguments) answer.texts.push_back(std::move(argument));
  answer.descriptors = {STDOUT_FILENO, STDERR_FILENO};
  peer.send(std::move(answer));
}

void Host::hand_over(Peer& peer, int64_t shutdown_ms) {
  log_.info(Component::kMain, "another process has taken over");
  heir_ = &peer;
  door_.reset();
  hooks_.take_over(shutdown_ms);
  Message answer;
  answer.kind = Kind::kTakenOver;
  peer.send(std::move(answer));
  send_counters();
  ticker_ = std::make_unique<Ticker>(*this);
}

// ---- counters ----

void Host::send_counters() {
  if (heir_ == nullptr) return;
  Message part;
  part.kind = Kind::kCounters;
  size_t bytes = 0;
  for (auto& [name, value] : hooks_.counters()) {
    uint64_t& sent = sent_[name];
    if (value == sent) continue;
    bytes += name.size() + sizeof(uint32_t) + sizeof(uint64_t);
    part.counters.emplace_back(name, value - std::exchange(sent, value));
    if (bytes < kCountersBytes) continue;
    bytes = 0;
    heir_->send(std::exchange(part, Message{.kind = Kind::kCounters}));
  }
  if (!part.counters.empty()) heir_->send(std::move(part));
}

void Host::finish() {
  send_counters();
  while (heir_ != nullptr && !heir_->flush()) {
    pollfd wait{heir_->fd(), POLLOUT, 0};
    if (poll(&wait, 1, kLastWordsMs) <= 0 || (wait.revents & (POLLERR | POLLHUP)) != 0) return;
  }
}

}  // namespace weir::hot_restart
