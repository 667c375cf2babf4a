// Commands about TLS on the client's connection: what was agreed on, and both sides' certificates.

#include "proxy/http/formatter_part.h"
#include "proxy/net/tls_session.h"

namespace weir::http {
namespace {

using Facts = net::CertificateFacts;
using ReadFacts = const Facts* (*)(net::TlsSession&);

net::TlsSession* session_of(const FormatInput& in) {
  return in.info == nullptr ? nullptr : in.info->tls;
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

template <ReadFacts kRead>
const Facts* facts_of(const FormatInput& in) {
  net::TlsSession* session = session_of(in);
  return session == nullptr ? nullptr : kRead(*session);
}

template <ReadFacts kRead, std::string Facts::*kMember>
FormatValue read_fact(const Format::Part&, const FormatInput& in, FormatScratch&) {
  const Facts* facts = facts_of<kRead>(in);
  return facts == nullptr ? FormatValue::missing() : FormatValue::of_nonempty(facts->*kMember);
}

template <ReadFacts kRead, std::vector<std::string> Facts::*kMember>
FormatValue read_names(const Format::Part&, const FormatInput& in, FormatScratch& scratch) {
  const Facts* facts = facts_of<kRead>(in);
  if (facts == nullptr || (facts->*kMember).empty()) return FormatValue::missing();
  scratch.long_text.clear();
  for (const std::string& name : facts->*kMember) {
    if (!scratch.long_text.empty()) scratch.long_text += ',';
    // A certificate may hold anything, and the value may go into a header.
    for (const char c : name) scratch.long_text += is_control(c) ? '?' : c;
  }
  return FormatValue::of(scratch.long_text);
}

template <int64_t Facts::*kMember>
FormatValue read_moment(const Format::Part& part, const FormatInput& in, FormatScratch& scratch) {
  const Facts* facts = facts_of<peer>(in);
  if (facts == nullptr) return FormatValue::missing();
  const int64_t wall_us = facts->*kMember * 1'000'000;
  return FormatValue::of({scratch.bytes, part.time->write(wall_us, scratch.bytes)});
}

template <std::string_view (net::TlsSession::*kRead)() const>
FormatValue read_agreed(const Format::Part&, const FormatInput& in, FormatScratch&) {
  net::TlsSession* session = session_of(in);
  return session == nullptr ? FormatValue::missing()
                            : FormatValue::of_nonempty((session->*kRead)());
}

template <std::string (net::TlsSession::*kRead)() const>
FormatValue read_made(const Format::Part&, const FormatInput& in, FormatScratch& scratch) {
  net::TlsSession* session = session_of(in);
  if (session == nullptr) return FormatValue::missing();
  scratch.long_text = (session->*kRead)();
  return FormatValue::of_nonempty(scratch.long_text);
}

constexpr auto kOptional = CommandSyntax::kOptionalParameter;

constexpr CommandSpec kCommands[] = {
    {"DOWNSTREAM_TLS_VERSION", read_agreed<&net::TlsSession::version>},
    {"DOWNSTREAM_TLS_CIPHER", read_agreed<&net::TlsSession::cipher>},
    {"DOWNSTREAM_TLS_SESSION_ID", read_made<&net::TlsSession::session_id>},
    {"DOWNSTREAM_PEER_SUBJECT", read_fact<peer, &Facts::subject>},
    {"DOWNSTREAM_PEER_ISSUER", read_fact<peer, &Facts::issuer>},
    {"DOWNSTREAM_PEER_SERIAL", read_fact<peer, &Facts::serial>},
    {"DOWNSTREAM_PEER_FINGERPRINT_256", read_fact<peer, &Facts::sha256>},
    {"DOWNSTREAM_PEER_FINGERPRINT_1", read_fact<peer, &Facts::sha1>},
    {"DOWNSTREAM_PEER_URI_SAN", read_names<peer, &Facts::uri_sans>},
    {"DOWNSTREAM_PEER_DNS_SAN", read_names<peer, &Facts::dns_sans>},
    {"DOWNSTREAM_PEER_IP_SAN", read_names<peer, &Facts::ip_sans>},
    {"DOWNSTREAM_PEER_EMAIL_SAN", read_names<peer, &Facts::email_sans>},
    {"DOWNSTREAM_PEER_CERT", read_made<&net::TlsSession::peer_pem>},
    {"DOWNSTREAM_PEER_CERT_V_START", read_moment<&Facts::not_before_s>, kOptional, false,
     parse_utc_time},
    {"DOWNSTREAM_PEER_CERT_V_END", read_moment<&Facts::not_after_s>, kOptional, false,
     parse_utc_time},
    {"DOWNSTREAM_LOCAL_SUBJECT", read_fact<local, &Facts::subject>},
    {"DOWNSTREAM_LOCAL_URI_SAN", read_names<local, &Facts::uri_sans>},
    {"DOWNSTREAM_LOCAL_DNS_SAN", read_names<local, &Facts::dns_sans>},
    {"DOWNSTREAM_LOCAL_IP_SAN", read_names<local, &Facts::ip_sans>},
    {"DOWNSTREAM_LOCAL_EMAIL_SAN", read_names<local, &Facts::email_sans>},
};

}  // namespace

std::span<const CommandSpec> tls_commands() {
  return kCommands;
}

}  // namespace weir::http
