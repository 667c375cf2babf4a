// A blind relay that ends TLS with OpenSSL: the bytes inside go on in the clear, one upstream
// connection for each client. It shows what TLS and the kernel take for a proxied request.
//
// usage: tls_relay LISTEN_PORT UPSTREAM_PORT CERTIFICATE KEY

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
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

constexpr size_t kReadBytes = 65472;

class Pair;

// A socket of a pair, and what it is watched for.
class Socket final : public EventLoop::Handler {
 public:
  Socket(EventLoop& loop, int fd, Pair& pair) : loop_(loop), fd_(fd), pair_(pair) {
    loop.add(fd, EPOLLIN, *this);
  }
  ~Socket() override { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void on_events(uint32_t events) override;
  int fd() const { return fd_; }
  void watch(bool readable, bool writable) {
    const uint32_t wanted = (readable ? EPOLLIN : 0U) | (writable ? EPOLLOUT : 0U);
    if (wanted == watched_) return;
    watched_ = wanted;
    loop_.change(fd_, wanted, *this);
  }

 private:
  EventLoop& loop_;
  int fd_;
  Pair& pair_;
  uint32_t watched_ = EPOLLIN;
};

// Both sides of a relayed connection; ends itself with the first side that ends.
class Pair {
 public:
  Pair(EventLoop& loop, SSL_CTX* tls, int client, int upstream)
      : client_(loop, client, *this), upstream_(loop, upstream, *this), ssl_(SSL_new(tls)) {
    if (ssl_ == nullptr || SSL_set_fd(ssl_, client) != 1) die("set up TLS");
    SSL_set_accept_state(ssl_);
    watch();
  }
  ~Pair() { SSL_free(ssl_); }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;

  void on_events(const Socket& socket, uint32_t events) {
    if (ended_) return;
    const bool readable = (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0;
    const bool from_client = &socket == &client_;
    bool alive = flush_to_client() && flush_to_upstream();
    if (alive && readable && !from_client) alive = read_upstream();
    // OpenSSL may hold bytes that the socket does not show any more.
    if (alive && (from_client || SSL_has_pending(ssl_) == 1)) alive = read_client();
    if (alive) return watch();
    ended_ = true;
    graveyard().push_back(std::unique_ptr<Pair>(this));
  }

  // Pairs that ended during this turn: events of their other side may still be on the list.
  static std::vector<std::unique_ptr<Pair>>& graveyard() {
    static std::vector<std::unique_ptr<Pair>> ended;
    return ended;
  }

 private:
  // Nothing is read that has nowhere to go; upstream waits for the handshake too.
  void watch() {
    client_.watch(to_upstream_.empty(), !to_client_.empty());
    upstream_.watch(to_client_.empty() && SSL_is_init_finished(ssl_) == 1, !to_upstream_.empty());
  }

  // What a call that gave `result` means: go on later, or the connection is over.
  bool waits(int result) const {
    const int error = SSL_get_error(ssl_, result);
    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
  }

  bool read_client() {
    static std::array<char, kReadBytes> buffer;
    while (to_upstream_.empty()) {
      size_t held = 0;
      int got = 1;
      while (held < buffer.size() && got > 0) {
        got = SSL_read(ssl_, buffer.data() + held, static_cast<int>(buffer.size() - held));
        if (got > 0) held += static_cast<size_t>(got);
      }
      if (held > 0 && !send_upstream(buffer.data(), held)) return false;
      if (got <= 0) return waits(got);
    }
    return true;
  }

  bool read_upstream() {
    static std::array<char, kReadBytes> buffer;
    for (;;) {
      const ssize_t got = recv(upstream_.fd(), buffer.data(), buffer.size(), 0);
      if (got < 0 && errno == EAGAIN) return true;
      if (got <= 0 || !send_client(buffer.data(), static_cast<size_t>(got))) return false;
      if (static_cast<size_t>(got) < buffer.size() || !to_client_.empty()) return true;
    }
  }

  bool send_upstream(const char* bytes, size_t count) {
    const ssize_t sent = send(upstream_.fd(), bytes, count, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) return false;
    const auto done = static_cast<size_t>(std::max<ssize_t>(sent, 0));
    to_upstream_.assign(bytes + done, count - done);
    return true;
  }

  bool send_client(const char* bytes, size_t count) {
    size_t done = 0;
    while (done < count) {
      const int sent = SSL_write(ssl_, bytes + done, static_cast<int>(count - done));
      if (sent <= 0 && !waits(sent)) return false;
      if (sent <= 0) break;
      done += static_cast<size_t>(sent);
    }
    to_client_.assign(bytes + done, count - done);
    return true;
  }

  bool flush_to_client() {
    const std::string waiting = std::move(to_client_);
    to_client_.clear();
    return waiting.empty() || send_client(waiting.data(), waiting.size());
  }

  bool flush_to_upstream() {
    const std::string waiting = std::move(to_upstream_);
    to_upstream_.clear();
    return waiting.empty() || send_upstream(waiting.data(), waiting.size());
  }

  Socket client_;
  Socket upstream_;
  SSL* ssl_;
  std::string to_client_;  // what the sockets did not take
  std::string to_upstream_;
  bool ended_ = false;
};

void Socket::on_events(uint32_t events) {
  pair_.on_events(*this, events);
}

class Listener final : public EventLoop::Handler {
 public:
  Listener(EventLoop& loop, SSL_CTX* tls, uint16_t port, uint16_t upstream_port)
      : loop_(loop), tls_(tls), fd_(listen_on(port)), upstream_port_(upstream_port) {
    loop.add(fd_, EPOLLIN, *this);
  }
  void on_events(uint32_t) override {
    for (int client; (client = accept_from(fd_)) >= 0;) {
      const int upstream = connect_to(upstream_port_);
      if (upstream < 0) {
        close(client);
      } else {
        new Pair(loop_, tls_, client, upstream);  // deletes itself when it ends
      }
    }
  }

 private:
  EventLoop& loop_;
  SSL_CTX* tls_;
  int fd_;
  uint16_t upstream_port_;
};

// Takes HTTP/2 when the client offers it: then the origin speaks it too.
int choose_protocol(SSL*, const unsigned char** chosen, unsigned char* chosen_bytes,
                    const unsigned char* offered, unsigned int offered_bytes, void*) {
  static constexpr unsigned char kKnown[] = "\x02h2\x08http/1.1";
  const int found = SSL_select_next_proto(const_cast<unsigned char**>(chosen), chosen_bytes, kKnown,
                                          sizeof kKnown - 1, offered, offered_bytes);
  return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
}

SSL_CTX* server_tls(const char* certificate, const char* key) {
  SSL_CTX* tls = SSL_CTX_new(TLS_server_method());
  if (tls == nullptr || SSL_CTX_set_min_proto_version(tls, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set_ciphersuites(tls, "TLS_AES_128_GCM_SHA256") != 1 ||
      SSL_CTX_use_certificate_chain_file(tls, certificate) != 1 ||
      SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
    die("set up TLS");
  SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                            SSL_MODE_RELEASE_BUFFERS);
  SSL_CTX_set_read_ahead(tls, 1);
  SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);  // tickets are enough
  SSL_CTX_set_alpn_select_cb(tls, choose_protocol, nullptr);
  return tls;
}

}  // namespace
}  // namespace weir::bench

int main(int argc, char** argv) {
  using namespace weir::bench;
  if (argc != 5) {
    static constexpr char kUsage[] = "usage: tls_relay LISTEN_PORT UPSTREAM_PORT CERTIFICATE KEY\n";
    return write(2, kUsage, sizeof kUsage - 1) < 0 ? 1 : 2;
  }
  signal(SIGPIPE, SIG_IGN);
  EventLoop loop;
  const Listener listener(loop, server_tls(argv[3], argv[4]),
                          static_cast<uint16_t>(std::strtoul(argv[1], nullptr, 10)),
                          static_cast<uint16_t>(std::strtoul(argv[2], nullptr, 10)));
  for (;;) {
    loop.turn(-1);
    Pair::graveyard().clear();
  }
}
