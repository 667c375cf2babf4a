#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/net/testing/raw_socket.h"
#include "proxy/tls/testing/sessions.h"

namespace weir::tls::testing {

// One end of a TLS connection on a plain socket, step by step, with a time limit on everything.
class TlsPeer {
 public:
  TlsPeer(net::RawSocket socket, std::unique_ptr<net::TlsSession> session)
      : socket_(std::move(socket)), session_(std::move(session)) {}
  // A server's end.
  TlsPeer(net::RawSocket socket, SSL_CTX& context)
      : TlsPeer(std::move(socket), server_session(context)) {}

  net::RawSocket& socket() { return socket_; }
  net::TlsSession& session() { return *session_; }

  // What came in the clear before the handshake: `bytes` of it, or less.
  std::string receive_clear(size_t bytes) {
    while (clear_.size() < bytes) {
      const std::string some = socket_.receive_some();
      if (some.empty()) break;
      clear_ += some;
    }
    const std::string out = clear_.substr(0, bytes);
    clear_.erase(0, out.size());
    return out;
  }
  bool shake_hands() {
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
  // Decrypted; empty: the end, an error, or nothing came.
  std::string receive_some() {
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
  void send(std::string_view text) {
    std::string wire;
    session_->seal(text, wire);
    socket_.send(wire);
  }

 private:
  net::RawSocket socket_;
  std::unique_ptr<net::TlsSession> session_;
  std::string clear_;
};

// The context's servers agree on this protocol and refuse clients that do not offer it; on none if
// it is empty. `protocol` outlives the context.
inline void agree_on(SSL_CTX& context, const std::string& protocol) {
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
