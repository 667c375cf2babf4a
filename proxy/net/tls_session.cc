#include "proxy/net/tls_session.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pool.h>
#include <openssl/ssl.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace weir::net {

// A BIO whose two ends are the session's own bytes.
struct TlsSession::Wire {
  static TlsSession& session(BIO* bio) { return *static_cast<TlsSession*>(BIO_get_data(bio)); }

  static int take(std::string_view& from, char* to, int capacity) {
    const size_t n = std::min(from.size(), static_cast<size_t>(capacity));
    std::memcpy(to, from.data(), n);
    from.remove_prefix(n);
    return static_cast<int>(n);
  }

  static int read(BIO* bio, char* to, int capacity) {
    TlsSession& s = session(bio);
    BIO_clear_retry_flags(bio);
    if (!s.unread_.empty()) {
      std::string_view kept = std::string_view(s.unread_).substr(s.unread_at_);
      const int n = take(kept, to, capacity);
      s.unread_at_ += static_cast<size_t>(n);
      if (kept.empty()) {
        std::string().swap(s.unread_);
        s.unread_at_ = 0;
      }
      return n;
    }
    if (!s.fed_.empty()) return take(s.fed_, to, capacity);
    BIO_set_retry_read(bio);
    return -1;
  }

  static int write(BIO* bio, const char* from, int count) {
    TlsSession& s = session(bio);
    BIO_clear_retry_flags(bio);
    if (s.out_ == nullptr) return -1;
    s.out_->append(from, static_cast<size_t>(count));
    return count;
  }

  static long control(BIO* /*bio*/, int command, long /*number*/, void* /*pointer*/) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
  }

  static BIO* attach(TlsSession& session) {
    static const BIO_METHOD kMethod = {BIO_TYPE_SOURCE_SINK,
                                       "weir session",
                                       &write,
                                       &read,
                                       nullptr,
                                       nullptr,
                                       &control,
                                       nullptr,
                                       nullptr,
                                       nullptr};
    BIO* bio = BIO_new(&kMethod);
    BIO_set_data(bio, &session);
    BIO_set_init(bio, 1);
    return bio;
  }
};

TlsSession::TlsSession(ssl_st* ssl, std::shared_ptr<const void> context)
    : ssl_(ssl), context_(std::move(context)) {
  SSL_set_app_data(ssl_, this);
  BIO* bio = Wire::attach(*this);
  SSL_set_bio(ssl_, bio, bio);
  // What only a handshake needs is freed after it; that also settles that nobody renegotiates.
  SSL_set_renegotiate_mode(ssl_, ssl_renegotiate_never);
  SSL_set_shed_handshake_config(ssl_, 1);
}

TlsSession::~TlsSession() {
  SSL_free(ssl_);
}

void TlsRelease::operator()(TlsSession* session) const {
  if (--session->shares_ == 0) delete session;
}

TlsShare TlsSession::share() {
  ++shares_;
  return TlsShare(this);
}

TlsSession& TlsSession::of(const ssl_st* ssl) {
  return *static_cast<TlsSession*>(SSL_get_app_data(ssl));
}

TlsSession::Progress TlsSession::handshake(std::string& out) {
  if (done_) return Progress::kDone;
  if (state_ != State::kOpen) return Progress::kFailed;
  ERR_clear_error();
  out_ = &out;
  const int result = SSL_do_handshake(ssl_);
  const int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(ssl_, result);
  if (result != 1 && error != SSL_ERROR_WANT_READ) note_failure();
  out_ = nullptr;
  if (result == 1) {
    done_ = true;
    return Progress::kDone;
  }
  return state_ == State::kOpen ? Progress::kWantsMore : Progress::kFailed;
}

void TlsSession::note_failure() {
  state_ = State::kFailed;
  if (!error_.empty()) return;
  error_ = "TLS_error:";
  while (const uint32_t error = ERR_get_error()) {
    if (ERR_GET_LIB(error) == ERR_LIB_SSL &&
        ERR_GET_REASON(error) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
      verdict_ = PeerVerdict::kNoCertificate;
    const char* reason = ERR_reason_error_string(error);
    error_ += '|' + std::to_string(error) + ':' + ERR_lib_error_string(error) +
              ":OPENSSL_internal:" + (reason == nullptr ? "UNKNOWN" : reason);
  }
  if (!verify_error_.empty()) error_ += ':' + verify_error_;
  error_ += ":TLS_error_end";
}

void TlsSession::feed(std::string_view ciphertext) {
  keep_unread();
  fed_ = ciphertext;
}

void TlsSession::keep_unread() {
  if (fed_.empty()) return;
  unread_.append(fed_);
  fed_ = {};
}

bool TlsSession::has_unread() const {
  return !unread_.empty() || !fed_.empty() || state_ != State::kOpen || SSL_pending(ssl_) > 0;
}

TlsSession::Opened TlsSession::open(char* to, size_t capacity, std::string& out) {
  constexpr size_t kMaxCall = size_t{1} << 30;
  if (state_ != State::kOpen) return {0, state_};
  ERR_clear_error();
  out_ = &out;
  size_t got = 0;
  while (got < capacity) {
    const int n = SSL_read(ssl_, to + got, static_cast<int>(std::min(capacity - got, kMaxCall)));
    if (n > 0) {
      got += static_cast<size_t>(n);
      // Asking once more only to hear that there is nothing would be dear.
      if (fed_.empty() && unread_.empty() && SSL_pending(ssl_) == 0) break;
      continue;
    }
    const int error = SSL_get_error(ssl_, n);
    if (error == SSL_ERROR_ZERO_RETURN) {
      state_ = State::kEnded;
    } else if (error != SSL_ERROR_WANT_READ) {
      note_failure();
    }
    break;
  }
  out_ = nullptr;
  return {got, got > 0 ? State::kOpen : state_};
}

bool TlsSession::seal(std::string_view plaintext, std::string& out) {
  if (!done_ || state_ == State::kFailed) return false;
  ERR_clear_error();
  out_ = &out;
  while (!plaintext.empty()) {
    const std::string_view part = plaintext.substr(0, kRecordBytes);
    if (SSL_write(ssl_, part.data(), static_cast<int>(part.size())) <= 0) {
      note_failure();
      break;
    }
    plaintext.remove_prefix(part.size());
  }
  out_ = nullptr;
  return plaintext.empty();
}

void TlsSession::close_notify(std::string& out) {
  if (!done_ || close_sent_ || state_ == State::kFailed) return;
  close_sent_ = true;
  ERR_clear_error();
  out_ = &out;
  SSL_shutdown(ssl_);
  out_ = nullptr;
}

// ---- what was agreed on ----

std::string_view TlsSession::alpn() const {
  const uint8_t* name = nullptr;
  unsigned length = 0;
  SSL_get0_alpn_selected(ssl_, &name, &length);
  return {reinterpret_cast<const char*>(name), length};
}

std::string_view TlsSession::sni() const {
  const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? std::string_view() : std::string_view(name);
}

std::string_view TlsSession::version() const {
  return SSL_get_version(ssl_);
}

std::string_view TlsSession::cipher() const {
  const SSL_CIPHER* cipher = SSL_get_current_cipher(ssl_);
  return cipher == nullptr ? std::string_view() : std::string_view(SSL_CIPHER_get_name(cipher));
}

uint16_t TlsSession::curve() const {
  return SSL_get_curve_id(ssl_);
}

uint16_t TlsSession::peer_signature_algorithm() const {
  return SSL_get_peer_signature_algorithm(ssl_);
}

std::string TlsSession::session_id() const {
  const SSL_SESSION* session = SSL_get_session(ssl_);
  if (session == nullptr) return {};
  unsigned length = 0;
  const uint8_t* id = SSL_SESSION_get_id(session, &length);
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (unsigned i = 0; i < length; ++i) {
    out += kDigits[id[i] >> 4];
    out += kDigits[id[i] & 15];
  }
  return out;
}

bool TlsSession::is_server() const {
  return SSL_is_server(ssl_) != 0;
}
bool TlsSession::session_reused() const {
  return SSL_session_reused(ssl_) != 0;
}

std::string_view TlsSession::peer_der(size_t index) const {
  const STACK_OF(CRYPTO_BUFFER)* chain = SSL_get0_peer_certificates(ssl_);
  if (chain == nullptr || index >= sk_CRYPTO_BUFFER_num(chain)) return {};
  const CRYPTO_BUFFER* der = sk_CRYPTO_BUFFER_value(chain, index);
  return {reinterpret_cast<const char*>(CRYPTO_BUFFER_data(der)), CRYPTO_BUFFER_len(der)};
}

bool TlsSession::peer_has_certificate() const {
  return !peer_der(0).empty();
}

bool TlsSession::validated() const {
  if (verdict_ != PeerVerdict::kNotChecked) return verdict_ == PeerVerdict::kValid;
  // A session is only resumed where its trust is the same, and only begun with good certificates.
  return done_ && checks_peer_ && session_reused() && peer_has_certificate();
}

const CertificateFacts* TlsSession::peer_certificate() {
  if (peer_ == nullptr && peer_has_certificate()) peer_ = read_facts(peer_der(0));
  return peer_.get();
}

std::string TlsSession::peer_pem() const {
  return peer_has_certificate() ? url_encoded_pem(peer_der(0)) : std::string();
}

std::string TlsSession::peer_chain_pem() const {
  std::string out;
  for (size_t i = 0; !peer_der(i).empty(); ++i) out += url_encoded_pem(peer_der(i));
  return out;
}

void TlsSession::set_verdict(PeerVerdict verdict, std::string_view why) {
  verdict_ = verdict;
  verify_error_ = why;
}

}  // namespace weir::net
