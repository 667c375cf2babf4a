#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "proxy/net/tls_session.h"
#include "proxy/stats/registry.h"

namespace weir::tls {

// Counters of a listener's or a cluster's TLS, under Envoy's names. Immutable; any thread.
class TlsStats {
 public:
  // `prefix` ends in a dot: "listener.0.0.0.0_443.".
  TlsStats(stats::Registry& registry, const std::string& prefix);

  // Once a connection's handshake is done (`error` 0) or failed, as on_connected tells.
  void on_handshake(stats::Shard& shard, const net::TlsSession& session, int error) const;

 private:
  void on_failure(stats::Shard& shard, const net::TlsSession& session) const;
  void on_ocsp(stats::Shard& shard, net::OcspOutcome outcome) const;

  stats::CounterId handshake_;
  stats::CounterId connection_error_;
  stats::CounterId session_reused_;
  stats::CounterId no_certificate_;
  stats::CounterId fail_verify_no_cert_;
  stats::CounterId fail_verify_error_;
  stats::CounterId fail_verify_san_;
  stats::CounterId fail_verify_cert_hash_;
  stats::CounterId ocsp_requests_, ocsp_responses_, ocsp_omitted_, ocsp_failed_;  // of listeners
  std::map<std::string, stats::CounterId, std::less<>> versions_;
  std::map<std::string, stats::CounterId, std::less<>> ciphers_;
  std::map<uint16_t, stats::CounterId> curves_;
  std::map<uint16_t, stats::CounterId> sigalgs_;  // the peer's
};

}  // namespace weir::tls
