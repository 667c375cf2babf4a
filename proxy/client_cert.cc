#include "proxy/client_cert.h"

#include <string>
#include <string_view>

#include "proxy/request.h"

namespace weir {
namespace {

using Mode = ForwardClientCert::Mode;

constexpr http::Known kHeader = http::Known::kForwardedClientCert;

// Builds one element of the header: pairs of key and value.
class ElementWriter {
 public:
  // A value from a certificate, which may say anything: quoted where it would read as something
  // else, and never more than one line.
  void add(std::string_view key, std::string_view value) {
    const bool special = value.find_first_of(",;=\"\\ ") != std::string_view::npos;
    begin(key);
    if (special) text_ += '"';
    for (const char c : value) {
      if (c == '"' || c == '\\') text_ += '\\';
      text_ += is_control(c) ? '?' : c;
    }
    if (special) text_ += '"';
  }
  // Which is always between quotation marks.
  void add_quoted(std::string_view key, std::string_view value) {
    begin(key);
    text_ += '"';
    for (const char c : value) text_ += is_control(c) ? '?' : c;
    text_ += '"';
  }
  std::string_view text() const { return text_; }

 private:
  static bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

  void begin(std::string_view key) {
    if (!text_.empty()) text_ += ';';
    text_ += key;
    text_ += '=';
  }

  std::string text_;
};

// RFC 2253 escapes a quotation mark by a backslash already, or by its code.
void add_peer(const ForwardClientCert& config, net::TlsSession& session, ElementWriter& out) {
  const net::CertificateFacts* peer = session.peer_certificate();
  if (peer == nullptr) return;
  out.add("Hash", peer->sha256);
  if (config.cert) out.add_quoted("Cert", session.peer_pem());
  if (config.chain) out.add_quoted("Chain", session.peer_chain_pem());
  if (config.subject) out.add_quoted("Subject", peer->subject);
  if (config.uri && peer->uri_sans.empty()) out.add("URI", "");
  if (config.uri)
    for (const std::string& uri : peer->uri_sans) out.add("URI", uri);
  if (config.dns)
    for (const std::string& dns : peer->dns_sans) out.add("DNS", dns);
}

std::string_view make_element(Request& request, net::TlsSession& session) {
  ElementWriter out;
  if (const net::CertificateFacts* local = session.local_certificate(); local != nullptr)
    for (const std::string& uri : local->uri_sans) out.add("By", uri);
  add_peer(request.hcm().forward_client_cert, session, out);
  return request.arena().copy(out.text());
}

}  // namespace

void note_client_cert(Request& request) {
  const Mode mode = request.hcm().forward_client_cert.mode;
  if (mode == Mode::kAlwaysForwardOnly) return;
  http::HeaderMap& headers = request.head().headers;
  net::TlsSession* session = request.info().tls;
  const bool mutual = session != nullptr && session->peer_has_certificate();
  if (mode == Mode::kSanitize || !mutual) {
    if (headers.has(kHeader)) headers.remove(kHeader);
    return;
  }
  if (mode == Mode::kForwardOnly) return;
  const std::string_view element = make_element(request, *session);
  bool present = false;
  const std::string_view old = headers.joined(http::known_name(kHeader), present);
  const bool append = mode == Mode::kAppendForward && !old.empty();
  headers.set(kHeader, append ? request.arena().concat({old, ",", element}) : element);
}

}  // namespace weir
