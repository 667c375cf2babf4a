#include "tests/harness/test_upstream.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace weir::test {

struct TestUpstream::Connection {
  Fd socket;
  std::string input;
  Behaviour behaviour;
  bool responding = false;
  Clock::time_point due;
  uint64_t sent = 0;  // of the response
  uint64_t head_bytes = 0;
  uint64_t total = 0;  // of the response, as far as it is to be sent
  std::string head;    // and the body, unless that is a large one
};

std::string Behaviour::head() const {
  const uint64_t length = large_bytes_ > 0 ? large_bytes_ : body_.size();
  return "HTTP/1.1 " + std::to_string(status_) + " Test\r\n" + headers_ +
         "Content-Length: " + std::to_string(length) + "\r\n\r\n";
}

TestUpstream::TestUpstream()
    : listener_(listen_on_loopback(4096)),
      port_(local_port(listener_)),
      thread_([this] { run(); }) {}

TestUpstream::~TestUpstream() {
  end_ = true;
  thread_.join();
}

Behaviour& TestUpstream::on(const std::string& path) {
  const std::lock_guard lock(mutex_);
  return behaviours_[path] = Behaviour();
}

std::string TestUpstream::last_request() const {
  const std::lock_guard lock(mutex_);
  return last_request_;
}

void TestUpstream::close_all() {
  close_all_ = true;
  while (close_all_) std::this_thread::sleep_for(Milliseconds(1));
}

void TestUpstream::stop() {
  stop_ = true;
  close_all();
}

void TestUpstream::run() {
  while (!end_) {
    if (stop_) listener_.close();
    if (close_all_) {
      connections_list_.clear();
      open_ = 0;
      close_all_ = false;
    }
    poll_once();
  }
}

void TestUpstream::poll_once() {
  std::vector<pollfd> polled;
  for (const auto& connection : connections_list_) {
    const bool due = connection->responding && connection->due <= Clock::now();
    const bool reads = !connection->responding || connection->behaviour.reads_;
    polled.push_back({connection->socket.get(),
                      static_cast<short>((reads ? POLLIN : 0) | (due ? POLLOUT : 0)), 0});
  }
  polled.push_back({listener_.get(), POLLIN, 0});
  poll(polled.data(), polled.size(), 1);
  for (size_t i = 0; i < connections_list_.size(); ++i)
    if (polled[i].revents != 0) serve(*connections_list_[i]);
  if (polled.back().revents != 0 && listener_.open()) accept_all();
  std::erase_if(connections_list_,
                [](const auto& connection) { return !connection->socket.open(); });
  open_ = static_cast<int>(connections_list_.size());
}

void TestUpstream::accept_all() {
  for (Fd socket; (socket = accept_connection(listener_)).open();) {
    connections_list_.push_back(std::make_unique<Connection>());
    connections_list_.back()->socket = std::move(socket);
    ++connections_;
  }
}

void TestUpstream::serve(Connection& connection) {
  if (!read_request(connection)) {
    if (!connection.input.empty()) ++unfinished_;
    connection.socket.close();
    return;
  }
  if (connection.responding && connection.due <= Clock::now()) write_response(connection);
}

// False when the connection has ended.
bool TestUpstream::read_request(Connection& connection) {
  if (connection.responding && !connection.behaviour.reads_) return true;
  std::array<char, 65536> bytes;
  const ssize_t got = recv(connection.socket.get(), bytes.data(), bytes.size(), 0);
  if (got == 0 || (got < 0 && errno != EAGAIN)) return false;
  if (got > 0) {
    connection.input.append(bytes.data(), static_cast<size_t>(got));
    bytes_received_ += static_cast<uint64_t>(got);
  }
  if (connection.responding || connection.input.empty()) return true;
  Message request;
  const ParseResult result = parse_request(connection.input, request);
  if (result.parsed == Parsed::kNothing) return true;
  const std::lock_guard lock(mutex_);
  const auto found = behaviours_.find(request.target);
  const Behaviour behaviour = found == behaviours_.end() ? Behaviour() : found->second;
  if (result.parsed == Parsed::kHead && behaviour.reads_) return true;
  connection.behaviour = behaviour;
  begin_response(connection, request);
  return true;
}

void TestUpstream::begin_response(Connection& connection, const Message& request) {
  last_request_ = connection.input.substr(0, request.head_bytes);
  connection.input.erase(0, std::max(request.wire_bytes, request.head_bytes));
  ++requests_;
  const Behaviour& behaviour = connection.behaviour;
  if (behaviour.silent_) return;
  connection.head = behaviour.head();
  connection.head_bytes = connection.head.size();
  if (behaviour.large_bytes_ == 0) connection.head += behaviour.body_;
  connection.total =
      std::min(behaviour.only_bytes_, behaviour.large_bytes_ + connection.head.size());
  connection.sent = 0;
  connection.responding = true;
  connection.due = Clock::now() + behaviour.delay_;
}

void TestUpstream::write_response(Connection& connection) {
  static const std::string kFiller(256 * 1024, 'L');
  while (connection.sent < connection.total) {
    const bool in_head = connection.sent < connection.head.size();
    const std::string& source = in_head ? connection.head : kFiller;
    const size_t from = in_head ? connection.sent : 0;
    uint64_t count = std::min<uint64_t>(source.size() - from, connection.total - connection.sent);
    const bool drips = connection.behaviour.drip_.count() > 0;
    if (drips) count = connection.sent < connection.head_bytes ? connection.head_bytes : 1;
    const ssize_t sent = send(connection.socket.get(), source.data() + from, count, MSG_NOSIGNAL);
    if (sent < 0 && errno == EAGAIN) return;
    if (sent < 0) return connection.socket.close();
    connection.sent += static_cast<uint64_t>(sent);
    bytes_sent_ += static_cast<uint64_t>(sent);
    if (drips) connection.due = Clock::now() + connection.behaviour.drip_;
    if (drips) return;
  }
  end_response(connection);
}

void TestUpstream::end_response(Connection& connection) {
  connection.responding = false;
  if (connection.behaviour.end_ == Behaviour::End::kReset) {
    const linger abort{1, 0};
    setsockopt(connection.socket.get(), SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
  }
  if (connection.behaviour.end_ != Behaviour::End::kKeep) connection.socket.close();
}

}  // namespace weir::test
