// A blind relay of bytes: one upstream connection for each client, and whatever comes on one side
// goes out on the other. It shows what the kernel alone takes for a proxied request, which no proxy
// of this shape can go below.
//
// usage: relay LISTEN_PORT UPSTREAM_PORT

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "tests/bench/event_loop.h"

namespace weir::bench {
namespace {

// A full read ends on a boundary of the loopback's segments.
constexpr size_t kReadBytes = 65472;

class Pair;

// One side of a relayed connection.
class Side final : public EventLoop::Handler {
 public:
  Side(EventLoop& loop, int fd, Pair& pair) : loop_(loop), fd_(fd), pair_(pair) {
    loop.add(fd, EPOLLIN, *this);
  }
  ~Side() override { close(fd_); }
  Side(const Side&) = delete;
  Side& operator=(const Side&) = delete;

  void on_events(uint32_t events) override;
  void set_other(Side& other) { other_ = &other; }

 private:
  bool relay();  // false: the connection is over
  bool send_or_keep(const char* bytes, size_t count, bool more);
  bool flush();

  EventLoop& loop_;
  int fd_;
  Pair& pair_;
  Side* other_ = nullptr;
  std::string waiting_;  // what this side's socket did not take
};

// Both sides; ends itself with the first side that ends.
class Pair {
 public:
  Pair(EventLoop& loop, int client, int upstream)
      : client_(loop, client, *this), upstream_(loop, upstream, *this) {
    client_.set_other(upstream_);
    upstream_.set_other(client_);
  }
  void end() {
    if (ended_) return;
    ended_ = true;
    graveyard().push_back(std::unique_ptr<Pair>(this));
  }
  // Pairs that ended during this turn: events of their other side may still be on the list.
  static std::vector<std::unique_ptr<Pair>>& graveyard() {
    static std::vector<std::unique_ptr<Pair>> ended;
    return ended;
  }
  bool ended() const { return ended_; }

 private:
  Side client_;
  Side upstream_;
  bool ended_ = false;
};

void Side::on_events(uint32_t events) {
  if (pair_.ended()) return;
  if ((events & EPOLLOUT) != 0 && !flush()) return pair_.end();
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !relay()) pair_.end();
}

bool Side::relay() {
  static std::array<char, kReadBytes> buffer;
  for (;;) {
    const ssize_t got = recv(fd_, buffer.data(), buffer.size(), 0);
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return false;
    const bool full = static_cast<size_t>(got) == buffer.size();
    if (!other_->send_or_keep(buffer.data(), static_cast<size_t>(got), full)) return false;
    if (!full || !other_->waiting_.empty()) return true;
  }
}

bool Side::send_or_keep(const char* bytes, size_t count, bool more) {
  ssize_t sent = send(fd_, bytes, count, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
  if (sent < 0 && errno != EAGAIN) return false;
  if (sent < 0) sent = 0;
  if (static_cast<size_t>(sent) == count) return true;
  waiting_.assign(bytes + sent, count - static_cast<size_t>(sent));
  loop_.change(fd_, EPOLLOUT, *this);
  loop_.change(other_->fd_, 0, *other_);  // what comes there has nowhere to go
  return true;
}

bool Side::flush() {
  const ssize_t sent = send(fd_, waiting_.data(), waiting_.size(), MSG_NOSIGNAL);
  if (sent < 0) return errno == EAGAIN;
  waiting_.erase(0, static_cast<size_t>(sent));
  if (!waiting_.empty()) return true;
  loop_.change(fd_, EPOLLIN, *this);
  loop_.change(other_->fd_, EPOLLIN, *other_);
  return true;
}

class Listener final : public EventLoop::Handler {
 public:
  Listener(EventLoop& loop, uint16_t port, uint16_t upstream_port)
      : loop_(loop), fd_(listen_on(port)), upstream_port_(upstream_port) {
    loop.add(fd_, EPOLLIN, *this);
  }
  void on_events(uint32_t) override {
    for (int client; (client = accept_from(fd_)) >= 0;) {
      const int upstream = connect_to(upstream_port_);
      if (upstream < 0) {
        close(client);
      } else {
        new Pair(loop_, client, upstream);  // deletes itself when it ends
      }
    }
  }

 private:
  EventLoop& loop_;
  int fd_;
  uint16_t upstream_port_;
};

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  using namespace weir::bench;
  if (argc != 3) {
    static constexpr char kUsage[] = "usage: relay LISTEN_PORT UPSTREAM_PORT\n";
    return write(2, kUsage, sizeof kUsage - 1) < 0 ? 1 : 2;
  }
  signal(SIGPIPE, SIG_IGN);
  EventLoop loop;
  const Listener listener(loop, static_cast<uint16_t>(std::strtoul(argv[1], nullptr, 10)),
                          static_cast<uint16_t>(std::strtoul(argv[2], nullptr, 10)));
  for (;;) {
    loop.turn(-1);
    Pair::graveyard().clear();
  }
}
