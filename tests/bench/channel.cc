#include "tests/bench/channel.h"

#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "tests/bench/event_loop.h"

namespace weir::bench {
namespace {

// What SSL_get_error says, as a result of recv or send.
ssize_t as_result(const SSL* ssl, int result, int when_it_waits_to_read) {
  switch (SSL_get_error(ssl, result)) {
    case SSL_ERROR_WANT_READ:
      errno = when_it_waits_to_read;
      return -1;
    case SSL_ERROR_WANT_WRITE:
      errno = EAGAIN;
      return -1;
    case SSL_ERROR_ZERO_RETURN:
      return 0;
    default:
      ERR_clear_error();
      errno = EPROTO;
      return -1;
  }
}

}  // namespace

ClientTls::ClientTls(bool resume) : resume_(resume), context_(SSL_CTX_new(TLS_method())) {
  SSL_CTX* context = context_.get();
  if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1 ||
      SSL_CTX_set1_curves_list(context, "X25519") != 1)
    die("set up TLS");
  SSL_CTX_set_verify(context, SSL_VERIFY_NONE, nullptr);
  SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (!resume) return;
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_sess_set_new_cb(context, keep_ticket);
}

ClientTls::~ClientTls() = default;

int ClientTls::keep_ticket(SSL* ssl, SSL_SESSION* ticket) {
  auto* self = static_cast<ClientTls*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl)));
  self->ticket_.reset(ticket);
  return 1;  // it is ours now
}

bssl::UniquePtr<SSL> ClientTls::session(int fd) const {
  bssl::UniquePtr<SSL> ssl(SSL_new(context_.get()));
  if (ssl == nullptr || SSL_set_fd(ssl.get(), fd) != 1) die("set up TLS");
  SSL_set_connect_state(ssl.get());
  SSL_set_tlsext_host_name(ssl.get(), "bench.example");
  if (resume_ && ticket_ != nullptr) SSL_set_session(ssl.get(), ticket_.get());
  return ssl;
}

bool Channel::open(uint16_t port) {
  fd_ = connect_to(port);
  if (fd_ >= 0 && tls_ != nullptr) ssl_ = tls_->session(fd_);
  return fd_ >= 0;
}

void Channel::close() {
  if (fd_ < 0) return;
  if (ssl_ != nullptr) SSL_shutdown(ssl_.get());  // tells the proxy; its own word is not awaited
  ERR_clear_error();
  ssl_.reset();
  ::close(fd_);
  fd_ = -1;
}

ssize_t Channel::read(char* bytes, size_t count) {
  if (ssl_ == nullptr) return recv(fd_, bytes, count, 0);
  const int got = SSL_read(ssl_.get(), bytes, static_cast<int>(count));
  return got > 0 ? got : as_result(ssl_.get(), got, EAGAIN);
}

ssize_t Channel::skip(char* space, size_t space_bytes, size_t count) {
  // In the clear the bytes are counted in the kernel and not copied.
  return ssl_ == nullptr ? recv(fd_, nullptr, count, MSG_TRUNC)
                         : read(space, std::min(space_bytes, count));
}

ssize_t Channel::write(const char* bytes, size_t count) {
  if (ssl_ == nullptr) return send(fd_, bytes, count, MSG_NOSIGNAL);
  const int sent = SSL_write(ssl_.get(), bytes, static_cast<int>(count));
  return sent > 0 ? sent : as_result(ssl_.get(), sent, EINPROGRESS);
}

}  // namespace weir::bench
