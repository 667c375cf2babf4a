#pragma once

#include <openssl/ssl.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace weir::bench {

// What TLS connections to the proxy share: TLS 1.3 alone, X25519, and no ALPN, which means HTTP/1.
// The certificate is not verified: it is the proxy that is measured. Outlives its channels.
class ClientTls {
 public:
  explicit ClientTls(bool resume);
  ~ClientTls();
  ClientTls(const ClientTls&) = delete;
  ClientTls& operator=(const ClientTls&) = delete;

  // A session for a new connection, which offers the newest ticket when it is to resume.
  bssl::UniquePtr<SSL> session(int fd) const;

 private:
  static int keep_ticket(SSL* ssl, SSL_SESSION* ticket);

  bool resume_;
  bssl::UniquePtr<SSL_CTX> context_;
  bssl::UniquePtr<SSL_SESSION> ticket_;
};

// A connection to the proxy, in the clear or in TLS. `read` and `write` are like recv and send:
// -1 with EAGAIN asks to wait until the socket is ready for the same thing, and a write that gives
// -1 with EINPROGRESS is to be tried again after the next bytes that come: the handshake goes on.
class Channel {
 public:
  explicit Channel(const ClientTls* tls) : tls_(tls) {}  // null: in the clear
  ~Channel() { close(); }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  bool open(uint16_t port);
  void close();
  int fd() const { return fd_; }
  bool resumed() const { return ssl_ != nullptr && SSL_session_reused(ssl_.get()) == 1; }

  ssize_t read(char* bytes, size_t count);
  // Takes up to `count` bytes that nobody looks at; `space` may be written over.
  ssize_t skip(char* space, size_t space_bytes, size_t count);
  ssize_t write(const char* bytes, size_t count);

 private:
  const ClientTls* tls_;
  int fd_ = -1;
  bssl::UniquePtr<SSL> ssl_;
};

}  // namespace weir::bench
