// Commands about TLS on the client's connection and on the upstream's: what was agreed on, and both
// ends' certificates.

#include "proxy/http/formatter_part.h"
#include "proxy/net/tls_session.h"

namespace weir::http {
namespace {

using Facts = net::CertificateFacts;
using Side = net::TlsSession* StreamInfo::*;
using ReadFacts = const Facts* (*)(net::TlsSession&);

constexpr Side kClient = &StreamInfo::tls;
constexpr Side kUpstream = &StreamInfo::upstream_tls;

template <Side kSide>
net::TlsSession* session_of(const FormatInput& in) {
  return in.info == nullptr ? nullptr : in.info->*kSide;
}

const Facts* peer(net::TlsSession& session) {
  return session.peer_certificate();
}

const Facts* local(net::TlsSession& session) {
  return session.local_certificate();
}

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

template <Side kSide, ReadFacts kRead>
const Facts* facts_of(const FormatInput& in) {
  net::TlsSession* session = session_of<kSide>(in);
  return session == nullptr ? nullptr : kRead(*session);
}

template <Side kSide, ReadFacts kRead, std::string Facts::*kMember>
FormatValue read_fact(const Format::Part&, const FormatInput& in, FormatScratch&) {
  const Facts* facts = facts_of<kSide, kRead>(in);
  return facts == nullptr ? FormatValue::missing() : FormatValue::of_nonempty(facts->*kMember);
}

template <Side kSide, ReadFacts kRead, std::vector<std::string> Facts::*kMember>
FormatValue read_names(const Format::Part&, const FormatInput& in, FormatScratch& scratch) {
  const Facts* facts = facts_of<kSide, kRead>(in);
  if (facts == nullptr || (facts->*kMember).empty()) return FormatValue::missing();
  scratch.long_text.clear();
  for (const std::string& name : facts->*kMember) {
    if (!scratch.long_text.empty()) scratch.long_text += ',';
    // A certificate may hold anything, and the value may go into a header.
    for (const char c : name) scratch.long_text += is_control(c) ? '?' : c;
  }
  return FormatValue::of(scratch.long_text);
}

template <Side kSide, int64_t Facts::*kMember>
FormatValue read_moment(const Format::Part& part, const FormatInput& in, FormatScratch& scratch) {
  const Facts* facts = facts_of<kSide, peer>(in);
  if (facts == nullptr) return FormatValue::missing();
  const int64_t wall_us = facts->*kMember * 1'000'000;
  return FormatValue::of({scratch.bytes, part.time->write(wall_us, scratch.bytes)});
}

template <Side kSide, std::string_view (net::TlsSession::*kRead)() const>
FormatValue read_agreed(const Format::Part&, const FormatInput& in, FormatScratch&) {
  net::TlsSession* session = session_of<kSide>(in);
  return session == nullptr ? FormatValue::missing()
                            : FormatValue::of_nonempty((session->*kRead)());
}

template <Side kSide, std::string (net::TlsSession::*kRead)() const>
FormatValue read_made(const Format::Part&, const FormatInput& in, FormatScratch& scratch) {
  net::TlsSession* session = session_of<kSide>(in);
  if (session == nullptr) return FormatValue::missing();
  scratch.long_text = (session->*kRead)();
  return FormatValue::of_nonempty(scratch.long_text);
}

// Why TLS with the client failed, now or in the middle of the request.
FormatValue read_client_failure(const Format::Part&, const FormatInput& in,
                                FormatScratch& scratch) {
  net::TlsSession* session = session_of<kClient>(in);
  return session == nullptr ? FormatValue::missing()
                            : scratch.without_spaces(session->error_details());
}

constexpr auto kOptional = CommandSyntax::kOptionalParameter;
using Session = net::TlsSession;

constexpr CommandSpec kCommands[] = {
    {"DOWNSTREAM_TLS_VERSION", read_agreed<kClient, &Session::version>},
    {"DOWNSTREAM_TLS_CIPHER", read_agreed<kClient, &Session::cipher>},
    {"DOWNSTREAM_TLS_SESSION_ID", read_made<kClient, &Session::session_id>},
    {"DOWNSTREAM_TRANSPORT_FAILURE_REASON", read_client_failure},
    {"DOWNSTREAM_PEER_SUBJECT", read_fact<kClient, peer, &Facts::subject>},
    {"DOWNSTREAM_PEER_ISSUER", read_fact<kClient, peer, &Facts::issuer>},
    {"DOWNSTREAM_PEER_SERIAL", read_fact<kClient, peer, &Facts::serial>},
    {"DOWNSTREAM_PEER_FINGERPRINT_256", read_fact<kClient, peer, &Facts::sha256>},
    {"DOWNSTREAM_PEER_FINGERPRINT_1", read_fact<kClient, peer, &Facts::sha1>},
    {"DOWNSTREAM_PEER_URI_SAN", read_names<kClient, peer, &Facts::uri_sans>},
    {"DOWNSTREAM_PEER_DNS_SAN", read_names<kClient, peer, &Facts::dns_sans>},
    {"DOWNSTREAM_PEER_IP_SAN", read_names<kClient, peer, &Facts::ip_sans>},
    {"DOWNSTREAM_PEER_EMAIL_SAN", read_names<kClient, peer, &Facts::email_sans>},
    {"DOWNSTREAM_PEER_CERT", read_made<kClient, &Session::peer_pem>},
    {"DOWNSTREAM_PEER_CERT_V_START", read_moment<kClient, &Facts::not_before_s>, kOptional, false,
     parse_utc_time},
    {"DOWNSTREAM_PEER_CERT_V_END", read_moment<kClient, &Facts::not_after_s>, kOptional, false,
     parse_utc_time},
    {"DOWNSTREAM_LOCAL_SUBJECT", read_fact<kClient, local, &Facts::subject>},
    {"DOWNSTREAM_LOCAL_URI_SAN", read_names<kClient, local, &Facts::uri_sans>},
    {"DOWNSTREAM_LOCAL_DNS_SAN", read_names<kClient, local, &Facts::dns_sans>},
    {"DOWNSTREAM_LOCAL_IP_SAN", read_names<kClient, local, &Facts::ip_sans>},
    {"DOWNSTREAM_LOCAL_EMAIL_SAN", read_names<kClient, local, &Facts::email_sans>},
    // Envoy has fewer of the upstream's.
    {"UPSTREAM_TLS_VERSION", read_agreed<kUpstream, &Session::version>},
    {"UPSTREAM_TLS_CIPHER", read_agreed<kUpstream, &Session::cipher>},
    {"UPSTREAM_TLS_SESSION_ID", read_made<kUpstream, &Session::session_id>},
    {"UPSTREAM_PEER_SUBJECT", read_fact<kUpstream, peer, &Facts::subject>},
    {"UPSTREAM_PEER_ISSUER", read_fact<kUpstream, peer, &Facts::issuer>},
    {"UPSTREAM_PEER_URI_SAN", read_names<kUpstream, peer, &Facts::uri_sans>},
    {"UPSTREAM_PEER_DNS_SAN", read_names<kUpstream, peer, &Facts::dns_sans>},
    {"UPSTREAM_PEER_IP_SAN", read_names<kUpstream, peer, &Facts::ip_sans>},
    {"UPSTREAM_PEER_CERT", read_made<kUpstream, &Session::peer_pem>},
    {"UPSTREAM_PEER_CERT_V_START", read_moment<kUpstream, &Facts::not_before_s>, kOptional, false,
     parse_utc_time},
    {"UPSTREAM_PEER_CERT_V_END", read_moment<kUpstream, &Facts::not_after_s>, kOptional, false,
     parse_utc_time},
    {"UPSTREAM_LOCAL_SUBJECT", read_fact<kUpstream, local, &Facts::subject>},
    {"UPSTREAM_LOCAL_URI_SAN", read_names<kUpstream, local, &Facts::uri_sans>},
    {"UPSTREAM_LOCAL_DNS_SAN", read_names<kUpstream, local, &Facts::dns_sans>},
    {"UPSTREAM_LOCAL_IP_SAN", read_names<kUpstream, local, &Facts::ip_sans>},
};

}  // namespace

std::span<const CommandSpec> tls_commands() {
  return kCommands;
}

}  // namespace weir::http
