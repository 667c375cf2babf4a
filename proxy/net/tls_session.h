#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "proxy/net/certificate.h"
#include "proxy/net/lazy_buffer.h"

struct ssl_st;

namespace weir::net {

class TlsSession;

// Gives a share of a session back; the last one ends it.
struct TlsRelease {
  TlsRelease() = default;
  // Whoever made a session has its first share.
  TlsRelease(std::default_delete<TlsSession> /*sole*/) {}
  void operator()(TlsSession* session) const;
};
// One of several, which are all of one thread at a time.
using TlsShare = std::unique_ptr<TlsSession, TlsRelease>;

// What looking at the peer's certificate came to.
enum class PeerVerdict : uint8_t {
  kNotChecked,     // there was none, nobody asked, or the session was resumed
  kValid,          // trusted, and what else was asked holds
  kAccepted,       // would be refused, but the configuration lets everybody in
  kNoCertificate,  // one was required
  kUntrusted,      // chain, time, use or revocation
  kWrongName,      // no subject alternative name fits
  kWrongHash,      // neither its hash nor its key's is on the list
};

// Of a client's request for a stapled OCSP response (RFC 6066 8).
enum class OcspOutcome : uint8_t {
  kNotAsked,
  kStapled,
  kOmitted,  // there is none that is good, and the policy does without
  kRefused,  // the policy does not, so that the handshake failed
};

// One TLS connection (RFC 8446, RFC 5246) in memory: what came from the socket goes in by `feed`,
// what is to be sent is appended to `out`. It knows no socket. One thread at a time.
class TlsSession {
 public:
  // The most that one record carries.
  static constexpr size_t kRecordBytes = 16 * 1024;

  enum class Progress : uint8_t { kDone, kWantsMore, kFailed };
  enum class State : uint8_t {
    kOpen,
    kEnded,   // the peer said close_notify
    kFailed,  // see error_details()
  };
  struct Opened {
    size_t bytes;
    State state;  // kOpen as long as `bytes` is not 0
  };

  // Owns `ssl` from now on. `context` is kept alive as long as the session lives: what the
  // callbacks of `ssl` look at.
  TlsSession(ssl_st* ssl, std::shared_ptr<const void> context);
  ~TlsSession();
  TlsSession(const TlsSession&) = delete;
  TlsSession& operator=(const TlsSession&) = delete;
  // The session that owns it.
  static TlsSession& of(const ssl_st* ssl);
  // Another share, for who wants to know of it when its connection is gone.
  TlsShare share();

  bool handshake_done() const { return done_; }
  // Goes on with the handshake with what was fed. After a failure `out` ends with an alert.
  Progress handshake(std::string& out);

  // Bytes of the socket. They are looked at in place until `keep_unread`, which copies what is
  // left.
  void feed(std::string_view ciphertext);
  void keep_unread();
  // Whether `open` may have something to give without new bytes.
  bool has_unread() const;

  // Decrypts what was fed. Also writes to `out` what the protocol answers.
  Opened open(char* to, size_t capacity, std::string& out);
  // Encrypts, in records of at most kRecordBytes. False: the session is broken.
  bool seal(std::string_view plaintext, std::string& out);
  // Says that nothing follows. Once.
  void close_notify(std::string& out);

  // Ciphertext that could not be sent before the session got another owner.
  void keep_unsent(std::string_view ciphertext) { unsent_.append(ciphertext); }
  std::string take_unsent() { return std::exchange(unsent_, {}); }

  // Plaintext that its connection keeps for the end of the loop's turn, to be sealed then.
  LazyBuffer& put_off() { return put_off_; }
  const LazyBuffer& put_off() const { return put_off_; }

  // Why it failed, with BoringSSL's reasons, e.g.
  // "TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:TLS_error_end".
  std::string_view error_details() const { return error_; }

  // ---- what was agreed on; valid once the handshake is done ----

  std::string_view alpn() const;     // "h2", "http/1.1"; empty without
  std::string_view sni() const;      // empty without
  std::string_view version() const;  // "TLSv1.3"
  std::string_view cipher() const;   // "TLS_AES_128_GCM_SHA256"
  // As numbers of TLS (RFC 8446 4.2.7, 4.2.3); 0 where there was none, as with a session resumed.
  uint16_t curve() const;
  uint16_t peer_signature_algorithm() const;
  std::string session_id() const;  // hexadecimal
  bool is_server() const;
  bool session_reused() const;
  bool peer_has_certificate() const;
  // Whether the peer showed a certificate that was found good, now or when the session began.
  bool validated() const;
  PeerVerdict verdict() const { return verdict_; }
  OcspOutcome ocsp() const { return ocsp_; }  // of servers, once the client's hello came
  // Null without. Read at the first call and kept.
  const CertificateFacts* peer_certificate();
  std::string peer_pem() const;        // url-encoded
  std::string peer_chain_pem() const;  // url-encoded, the leaf first
  // What this side showed; null without.
  const CertificateFacts* local_certificate() const { return local_; }

  // ---- for those who make and check sessions ----

  ssl_st* ssl() { return ssl_; }
  const void* context() const { return context_.get(); }
  void set_verdict(PeerVerdict verdict, std::string_view why = {});
  // A session that is resumed counts as validated: those that began it were checked.
  void set_checks_peer(bool checks) { checks_peer_ = checks; }
  void set_ocsp(OcspOutcome outcome) { ocsp_ = outcome; }
  // Must live as long as the context that was given.
  void set_local_certificate(const CertificateFacts* facts) { local_ = facts; }

 private:
  friend struct TlsRelease;
  struct Wire;

  void note_failure();
  std::string_view peer_der(size_t index) const;

  ssl_st* ssl_;
  std::shared_ptr<const void> context_;
  const CertificateFacts* local_ = nullptr;
  std::unique_ptr<CertificateFacts> peer_;
  std::string* out_ = nullptr;  // during a call only
  std::string_view fed_;
  std::string unread_;
  size_t unread_at_ = 0;
  std::string unsent_;
  LazyBuffer put_off_;
  std::string error_;
  std::string verify_error_;
  uint32_t shares_ = 1;
  State state_ = State::kOpen;
  PeerVerdict verdict_ = PeerVerdict::kNotChecked;
  OcspOutcome ocsp_ = OcspOutcome::kNotAsked;
  bool checks_peer_ = false;
  bool done_ = false;
  bool close_sent_ = false;
};

// What a loop lends its sessions while they work.
struct TlsScratch {
  std::unique_ptr<char[]> in;      // ciphertext that was read
  std::unique_ptr<char[]> record;  // plaintext that is gathered for one record
  std::string out;                 // ciphertext to be sent
};

}  // namespace weir::net
