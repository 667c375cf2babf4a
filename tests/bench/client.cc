#include "tests/bench/client.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/bench/origin.h"

namespace weir::bench {
namespace {

constexpr uint64_t kMaxErrors = 1000;
constexpr uint64_t kMaxReconnects = 100'000;
// With one request for each connection, so many of them wait for an answer at a time.
constexpr int kBusyAtOnce = 64;

std::string one_request(const LoadOptions& options) {
  std::string request = (options.request_bytes > 0 ? "POST " : "GET ") + options.path +
                        " HTTP/1.1\r\nHost: " + options.host +
                        "\r\nUser-Agent: weir-bench/1\r\nAccept: */*\r\n"
                        "Accept-Language: en-GB,en;q=0.7\r\n"
                        "Cookie: session=3b9d1c7e5a4f4e0d9b8a7c6d5e4f3a2b; theme=dark\r\n";
  if (options.request_bytes > 0)
    request += "Content-Length: " + std::to_string(options.request_bytes) + "\r\n";
  return request + "\r\n" + std::string(options.request_bytes, 'r');
}

}  // namespace

class ClientConnection final : public EventLoop::Handler {
 public:
  ClientConnection(EventLoop& loop, Load& load)
      : loop_(loop), load_(load), channel_(load.options_.tls ? &load.tls_ : nullptr) {
    open();
  }

  // Sends the next batch. `started_ns` is when it should have been sent.
  void send_batch(int64_t started_ns) {
    started_ns_ = started_ns;
    unanswered_ = load_.options_.pipeline;
    sent_ = 0;
    write_on();
  }

  void on_events(uint32_t events) override {
    const bool unsent = busy() && sent_ < load_.batch_.size();
    if ((events & EPOLLOUT) != 0 || unsent) write_on();
    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !read_on()) load_.failed(*this);
  }

  bool busy() const { return unanswered_ > 0; }
  bool resumed() const { return channel_.resumed(); }

  void reopen() {
    channel_.close();
    open();
  }

 private:
  void open() {
    if (!channel_.open(load_.options_.proxy_port)) die("connect to the proxy");
    held_.clear();
    body_left_ = 0;
    unanswered_ = 0;
    waits_to_write_ = false;
    loop_.add(channel_.fd(), EPOLLIN, *this);
  }

  void write_on() {
    const std::string& batch = load_.batch_;
    while (sent_ < batch.size()) {
      const ssize_t sent = channel_.write(batch.data() + sent_, batch.size() - sent_);
      if (sent < 0) {
        if (errno == EAGAIN && !waits_to_write_)
          loop_.change(channel_.fd(), EPOLLIN | EPOLLOUT, *this);
        waits_to_write_ = errno == EAGAIN;
        return;  // a broken connection shows when it is read
      }
      sent_ += static_cast<size_t>(sent);
    }
    if (waits_to_write_) loop_.change(channel_.fd(), EPOLLIN, *this);
    waits_to_write_ = false;
  }

  bool read_on() {
    static std::array<char, 65536> buffer;
    const bool large = body_left_ >= buffer.size();
    const ssize_t got = large ? channel_.skip(buffer.data(), buffer.size(), body_left_)
                              : channel_.read(buffer.data(), buffer.size());
    if (got < 0 && errno == EAGAIN) return true;
    if (got <= 0) return false;
    if (large) return take_body(static_cast<size_t>(got));
    return take(buffer.data(), static_cast<size_t>(got));
  }

  bool take_body(size_t bytes) {
    body_left_ -= bytes;
    if (body_left_ == 0) finish_response();
    return true;
  }

  bool take(const char* bytes, size_t count) {
    while (count > 0) {
      if (body_left_ > 0) {
        const size_t here = std::min(body_left_, count);
        bytes += here;
        count -= here;
        take_body(here);
      } else if (!take_head(bytes, count)) {
        return false;
      }
    }
    return true;
  }

  // Moves past a head, or keeps what there is of it.
  bool take_head(const char*& bytes, size_t& count) {
    if (unanswered_ == 0) return complain("bytes that nobody asked for", bytes, count);
    const char* head = bytes;
    size_t held = 0;
    if (!held_.empty()) {
      held = held_.size();
      held_.append(bytes, count);
      head = held_.data();
    }
    const size_t end = head_end(head, held + count);
    if (end == 0) {
      if (held == 0) held_.assign(bytes, count);
      count = 0;
      return held_.size() < 65536;
    }
    if (std::strncmp(head, "HTTP/1.1 200", 12) != 0 ||
        content_length(head, end) != load_.options_.response_bytes)
      return complain("not the expected response", head, end);
    body_left_ = load_.options_.response_bytes;
    bytes += end - held;
    count -= end - held;
    held_.clear();
    if (body_left_ == 0) finish_response();
    return true;
  }

  bool complain(const char* what, const char* bytes, size_t count) const {
    if (load_.errors_ == 0)
      std::fprintf(stderr, "load: %s:\n%.*s\n", what, static_cast<int>(count), bytes);
    return false;
  }

  void finish_response() {
    --unanswered_;
    load_.answered(*this, started_ns_);
  }

  EventLoop& loop_;
  Load& load_;
  Channel channel_;
  int64_t started_ns_ = 0;
  int unanswered_ = 0;
  size_t sent_ = 0;
  size_t body_left_ = 0;
  bool waits_to_write_ = false;
  std::string held_;  // an unfinished head
};

Load::Load(EventLoop& loop, LoadOptions options)
    : loop_(loop), options_(std::move(options)), tls_(options_.resume) {
  for (int i = 0; i < options_.pipeline; ++i) batch_ += one_request(options_);
}

void Load::open_connections() {
  if (options_.once) return;  // each when its turn comes
  for (int i = 0; i < options_.connections; ++i)
    idle_.push_back(new ClientConnection(loop_, *this));  // live as long as the program
}

void Load::start() {
  const int64_t now = now_ns();
  next_start_ns_ = static_cast<double>(now);
  if (options_.rate > 0) return;
  while (options_.once && opened_ < std::min(options_.connections, kBusyAtOnce)) send_on_new(now);
  while (!idle_.empty()) send_on_idle(now);
}

// So that no more connections begin at a time than there are requests under way.
void Load::send_on_new(int64_t started_ns) {
  if (opened_ == options_.connections) return;
  ++opened_;
  (new ClientConnection(loop_, *this))->send_batch(started_ns);  // lives as long as the program
}

void Load::send_on_idle(int64_t started_ns) {
  ClientConnection* connection = idle_.back();
  idle_.pop_back();
  connection->send_batch(started_ns);
}

void Load::start_due(int64_t now) {
  while (!idle_.empty() && next_start_ns_ <= static_cast<double>(now)) {
    send_on_idle(static_cast<int64_t>(next_start_ns_));
    next_start_ns_ += next_gap_ns();
  }
}

// Exponentially distributed, so that arrivals are a Poisson process.
double Load::next_gap_ns() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  const double uniform = static_cast<double>((random_ >> 11) + 1) * 0x1p-53;
  return -std::log(uniform) * 1e9 / options_.rate;
}

void Load::answered(ClientConnection& connection, int64_t started_ns) {
  ++requests_;
  const int64_t now = now_ns();
  latencies_.add(now - started_ns);
  if (connection.resumed()) ++resumed_;
  if (connection.busy()) return;
  if (options_.connect_each) connection.reopen();
  if (options_.once) {
    send_on_new(now);
  } else if (options_.rate > 0) {
    idle_.push_back(&connection);
  } else {
    connection.send_batch(now);
  }
}

void Load::failed(ClientConnection& connection) {
  const bool busy = connection.busy();
  if (busy) ++errors_;
  if (++reconnects_ > kMaxReconnects || errors_ > kMaxErrors) {
    std::fprintf(stderr, "load: %llu errors, %llu reconnects: giving up\n",
                 static_cast<unsigned long long>(errors_),
                 static_cast<unsigned long long>(reconnects_));
    std::exit(1);
  }
  connection.reopen();
  if (!busy) return;  // it stands in the list of idle ones already
  if (options_.rate > 0) {
    idle_.push_back(&connection);
  } else {
    connection.send_batch(now_ns());
  }
}

void Load::forget_measurements() {
  requests_ = 0;
  errors_ = 0;
  reconnects_ = 0;
  resumed_ = 0;
  latencies_ = Histogram();
}

}  // namespace weir::bench
