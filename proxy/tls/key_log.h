#pragma once

#include <openssl/base.h>

#include <memory>
#include <vector>

#include "proxy/net/cidr_range.h"
#include "proxy/net/tls_session.h"
#include "proxy/stats/log_file.h"

namespace weir::tls {

// Where the secrets of connections are written, for somebody who has to read along what they carry
// (TlsKeyLog), a line each in the format of NSS (draft-ietf-tls-keylogfile). Immutable; any thread.
// A line is never waited for: what the log's writer cannot take is dropped.
class KeyLog : public std::enable_shared_from_this<KeyLog> {
 public:
  using Ranges = std::vector<net::CidrRange>;

  // An empty list of ranges holds every address.
  KeyLog(std::shared_ptr<stats::LogFile> file, Ranges local, Ranges remote);

  // Lets sessions of this context be logged; those that nobody attached are not.
  static void allow(SSL_CTX& context);

  // Before the session's handshake: its secrets are logged if both addresses are of the configured
  // ranges.
  void attach(net::TlsSession& session, const net::Address& local,
              const net::Address& remote) const;

 private:
  static void write_line(const SSL* ssl, const char* line);

  std::shared_ptr<stats::LogFile> file_;
  Ranges local_;
  Ranges remote_;
};

}  // namespace weir::tls
