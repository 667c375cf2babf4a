#include "proxy/tls/testing/tls_peer.h"

#include <openssl/ssl.h>

#include <utility>

#include "proxy/tls/testing/sessions.h"

namespace weir::tls::testing {

TlsPeer::TlsPeer(net::RawSocket socket, std::unique_ptr<net::TlsSession> session)
    : socket_(std::move(socket)), session_(std::move(session)) {}

TlsPeer::TlsPeer(net::RawSocket socket, SSL_CTX& context)
    : TlsPeer(std::move(socket), server_session(context)) {}

std::string TlsPeer::receive_clear(size_t bytes) {
  while (clear_.size() < bytes) {
    const std::string some = socket_.receive_some();
    if (some.empty()) break;
    clear_ += some;
  }
  const std::string out = clear_.substr(0, bytes);
  clear_.erase(0, out.size());
  return out;
}

bool TlsPeer::shake_hands() {
  using Progress = net::TlsSession::Progress;
  std::string next = std::exchange(clear_, {});
  for (;;) {
    session_->feed(next);
    session_->keep_unread();
    std::string out;
    const Progress progress = session_->handshake(out);
    socket_.send(out);
    if (progress != Progress::kWantsMore) return progress == Progress::kDone;
    next = socket_.receive_some();
    if (next.empty()) return false;
  }
}

std::string TlsPeer::receive_some() {
  std::string text(1 << 16, '\0');
  std::string out;
  for (;;) {
    const auto opened = session_->open(text.data(), text.size(), out);
    if (opened.bytes > 0 || opened.state != net::TlsSession::State::kOpen) {
      text.resize(opened.bytes);
      return text;
    }
    const std::string wire = socket_.receive_some();
    if (wire.empty()) return {};
    session_->feed(wire);
    session_->keep_unread();
  }
}

void TlsPeer::send(std::string_view text) {
  std::string wire;
  session_->seal(text, wire);
  socket_.send(wire);
}

void agree_on(SSL_CTX& context, const std::string& protocol) {
  SSL_CTX_set_alpn_select_cb(
      &context,
      [](SSL*, const uint8_t** out, uint8_t* out_bytes, const uint8_t* in, unsigned in_bytes,
         void* arg) {
        const std::string& wanted = *static_cast<const std::string*>(arg);
        if (wanted.empty()) return SSL_TLSEXT_ERR_NOACK;
        for (unsigned at = 0; at < in_bytes; at += 1u + in[at]) {
          const std::string_view offered(reinterpret_cast<const char*>(in) + at + 1, in[at]);
          if (offered != wanted) continue;
          *out = in + at + 1;
          *out_bytes = in[at];
          return SSL_TLSEXT_ERR_OK;
        }
        return SSL_TLSEXT_ERR_ALERT_FATAL;
      },
      const_cast<std::string*>(&protocol));
}

}  // namespace weir::tls::testing
