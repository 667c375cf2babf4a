#include "proxy/demo_upstream.h"

#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "proxy/http/h1_server.h"
#include "proxy/net/loop.h"

namespace weir {
namespace {

constexpr uint16_t kDefaultPort = 10001;
constexpr size_t kMaxShownBodyBytes = 64 * 1024;

class DemoServer;

// One request, answered when it is whole.
class Echo : public http::ServerStreamEvents {
 public:
  Echo(DemoServer& server, http::ServerStream& stream)
      : server_(server), stream_(stream), head_(arena_) {}

  http::RequestHead& request_head() override { return head_; }
  void on_request_head(bool end) override {
    if (end) answer();
  }
  void on_bad_request(uint16_t status, std::string_view /*details*/) override {
    stream_.close_after_response();
    send(status, "{}\n");
  }
  void on_request_body(std::string_view bytes, bool end) override {
    body_bytes_ += bytes.size();
    body_.append(bytes.substr(0, kMaxShownBodyBytes - std::min(body_.size(), kMaxShownBodyBytes)));
    if (end) answer();
  }
  void on_request_trailers(http::HeaderMap& /*trailers*/) override { answer(); }
  void on_downstream_reset(http::ResetReason, std::string_view) override { done(); }
  void on_downstream_full(bool) override {}

 private:
  static std::string printable(std::string_view text) {
    std::string out;
    for (char c : text) out += static_cast<unsigned char>(c) < 0x80 ? c : '?';
    return out;
  }

  uint16_t status() const {
    uint16_t status = 200;
    constexpr std::string_view kPrefix = "/status/";
    if (!head_.path.starts_with(kPrefix)) return status;
    const std::string_view digits = head_.path.substr(kPrefix.size(), 3);
    std::from_chars(digits.data(), digits.data() + digits.size(), status);
    return status >= 200 && status <= 599 ? status : 400;
  }

  void answer() {
    nlohmann::ordered_json json;
    json["method"] = printable(head_.method_text);
    json["path"] = printable(head_.path);
    json["host"] = printable(head_.authority);
    json["headers"] = nlohmann::ordered_json::object();
    head_.headers.for_each([&](const http::Header& line) {
      json["headers"][printable(line.name)] = printable(line.value);
    });
    json["body_bytes"] = body_bytes_;
    json["body"] = printable(body_);
    send(status(), json.dump(2) + "\n");
  }

  void send(uint16_t status, const std::string& body) {
    http::ResponseHead head(arena_);
    head.status = status;
    head.headers.add("content-type", "application/json");
    head.headers.add("content-length", "");
    head.content_length = static_cast<int64_t>(body.size());
    stream_.send_head(head, false);
    stream_.send_body(arena_.copy(body), true);
    done();
  }

  void done();

  DemoServer& server_;
  http::ServerStream& stream_;
  Arena arena_;
  http::RequestHead head_;
  std::string body_;
  uint64_t body_bytes_ = 0;
};

class DemoServer : public http::ServerConnectionOwner, private net::Watch::Owner {
 public:
  explicit DemoServer(int listening) : listening_(listening) {
    watch_.start_level(loop_, listening_, *this);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    signal_fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    signal_watch_.start_level(loop_, signal_fd_, stopper_);
  }
  ~DemoServer() override {
    watch_.stop();
    signal_watch_.stop();
    close(listening_);
    close(signal_fd_);
    connections_.close_all();
  }

  void run() { loop_.run(); }
  net::Loop& loop() { return loop_; }

  http::ServerStreamEvents& begin_stream(http::ServerConnection& /*connection*/,
                                         http::ServerStream& stream) override {
    return *new Echo(*this, stream);
  }
  void abandon_stream(http::ServerStreamEvents& events) override {
    loop_.retire(std::unique_ptr<Echo>(static_cast<Echo*>(&events)));
  }
  http::Draining draining() const override { return http::Draining::kNo; }
  void on_closed(http::ServerConnection& connection) override { connections_.retire(connection); }
  std::string_view date() override { return {}; }

 private:
  struct Stopper : net::Watch::Owner {
    explicit Stopper(net::Loop& l) : loop(l) {}
    void on_ready(uint8_t) override { loop.stop(); }
    net::Loop& loop;
  };

  void on_ready(uint8_t) override {
    const int fd = accept4(listening_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    http::Arrival arrival;
    arrival.socket = {fd};
    arrival.id = ++ids_;
    connections_.add(std::make_unique<http::H1Server>(loop_, *this, options_))
        .start(std::move(arrival));
  }

  net::Loop loop_;
  http::H1ServerOptions options_;
  Stopper stopper_{loop_};
  net::Watch watch_;
  net::Watch signal_watch_;
  int listening_;
  int signal_fd_ = -1;
  uint64_t ids_ = 0;
  http::ServerConnections connections_;
};

// Its arena holds what is still to be written: it lives to the end of the turn.
void Echo::done() {
  server_.loop().retire(std::unique_ptr<Echo>(this));
}

int open_port(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_storage to;
  const socklen_t length = net::Address::ip("127.0.0.1", port)->to_sockaddr(to);
  if (bind(fd, reinterpret_cast<sockaddr*>(&to), length) == 0 && listen(fd, 1024) == 0) return fd;
  close(fd);
  return -1;
}

}  // namespace

int demo_upstream(const std::vector<std::string>& arguments) {
  uint16_t port = kDefaultPort;
  if (!arguments.empty()) {
    const std::string& text = arguments[0];
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (arguments.size() > 1 || error != std::errc() || end != text.data() + text.size()) {
      std::cerr << "usage: weir demo-upstream [PORT]\n";
      return 2;
    }
  }
  const int fd = open_port(port);
  if (fd < 0) {
    std::cerr << "weir: cannot listen on 127.0.0.1:" << port << "; is it taken?\n";
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  std::cout << "demo upstream on http://127.0.0.1:" << port << "\n" << std::flush;
  DemoServer(fd).run();
  return 0;
}

}  // namespace weir
