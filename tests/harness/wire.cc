#include "tests/harness/wire.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace weir::test {
namespace {

constexpr int kReadsOfATurn = 16;

}  // namespace

void Wire::reset() {
  const linger abort{1, 0};
  setsockopt(fd(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  socket_.close();
}

short Wire::wanted() const {
  short events = ended_ ? 0 : POLLIN;
  if (!sent_all() || (finish_ && !finished_)) events |= POLLOUT;
  return events;
}

void Wire::on_ready(short events) {
  if ((events & POLLOUT) != 0) write_some();
  if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && !ended_) read_some();
}

// A peer that writes as fast as this reads does not keep the turn from ending.
void Wire::read_some() {
  std::array<char, 65536> bytes;
  for (int reads = 0; reads < kReadsOfATurn; ++reads) {
    const ssize_t got = recv(fd(), bytes.data(), bytes.size(), 0);
    if (got > 0) {
      input_.append(bytes.data(), static_cast<size_t>(got));
      continue;
    }
    if (got < 0 && errno == EAGAIN) return;
    ended_ = true;
    was_reset_ = got < 0;
    return;
  }
}

void Wire::write_some() {
  while (!sent_all()) {
    const size_t most = split_ ? 1 : output_.size() - sent_;
    const ssize_t sent = ::send(fd(), output_.data() + sent_, most, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) {
      sent_ = output_.size();  // the peer has gone: what it said before is still read
      break;
    }
    sent_ += static_cast<size_t>(sent);
    if (split_) return;  // lets the peer see the byte before the next one follows
  }
  if (sent_all()) {
    output_.clear();
    sent_ = 0;
  }
  if (finish_ && !finished_) {
    shutdown(fd(), SHUT_WR);
    finished_ = true;
  }
}

bool Exchange::run_until(const std::function<bool()>& done, Milliseconds patience) {
  const auto deadline = std::chrono::steady_clock::now() + patience;
  while (!done()) {
    const auto left =
        std::chrono::duration_cast<Milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return done();
    turn(std::min(left, Milliseconds(50)));
  }
  return true;
}

void Exchange::turn(Milliseconds wait) {
  std::vector<pollfd> polled;
  for (const Fd* listener : listeners_) polled.push_back({listener->get(), POLLIN, 0});
  Wires wires = wires_();
  std::erase_if(wires, [](const Wire* wire) { return !wire->open(); });
  for (const Wire* wire : wires)
    polled.push_back({wire->wanted() != 0 ? wire->fd() : -1, wire->wanted(), 0});
  if (poll(polled.data(), polled.size(), static_cast<int>(wait.count())) < 0 && errno != EINTR)
    die("poll");
  for (size_t i = 0; i < wires.size(); ++i) {
    const short events = polled[listeners_.size() + i].revents;
    if (events != 0) wires[i]->on_ready(events);
  }
  for (size_t i = 0; i < listeners_.size(); ++i)
    if (polled[i].revents != 0) accept_(i);
}

}  // namespace weir::test
