#include "proxy/tls/read_certificate.h"

#include <ctime>
#include <utility>

#include "envoy/extensions/transport_sockets/tls/v3/common.pb.h"
#include "proxy/tls/data_source.h"

namespace weir::tls {
namespace {

using config::Code;
using config::Diagnostics;
using config::FieldPath;
using envoy::extensions::transport_sockets::tls::v3::TlsCertificate;
using envoy::extensions::transport_sockets::tls::v3::TlsSessionTicketKeys;

struct Parts {
  std::optional<Chain> chain;
  bssl::UniquePtr<EVP_PKEY> key;
};

SecretText read_password(const TlsCertificate& in, const FieldPath& path,
                         Diagnostics& diagnostics) {
  if (!is_set(in.password())) return {};
  SecretText text = read_data(in.password(), path.field("password"), diagnostics);
  // A file of one line ends with a line feed that nobody means.
  std::string_view shown = text.view();
  while (in.password().has_filename() && shown.ends_with('\n')) shown.remove_suffix(1);
  return shown.size() == text.view().size() ? std::move(text) : SecretText(shown);
}

Parts read_packed(const TlsCertificate& in, const FieldPath& path, Diagnostics& diagnostics) {
  const FieldPath field = path.field("pkcs12");
  if (is_set(in.certificate_chain()) || is_set(in.private_key())) {
    diagnostics.error(Code::kOneofConflict, field,
                      "pkcs12 brings certificate_chain and private_key: give either");
    return {};
  }
  const SecretText data = read_data(in.pkcs12(), field, diagnostics);
  if (data.empty()) return {};
  const SecretText password = read_password(in, path, diagnostics);
  Result<ChainAndKey> both = parse_pkcs12(data.view(), password.view(), std::time(nullptr));
  if (!both) {
    diagnostics.error(Code::kInvalidValue, field, both.error().message);
    return {};
  }
  return {std::move(both->chain), std::move(both->key)};
}

Parts read_apart(const TlsCertificate& in, const FieldPath& path, Diagnostics& diagnostics) {
  Parts out;
  const FieldPath chain_field = path.field("certificate_chain");
  const FieldPath key_field = path.field("private_key");
  if (!is_set(in.certificate_chain()))
    diagnostics.error(Code::kSemantic, chain_field, "the certificate has no certificate_chain");
  if (!is_set(in.private_key()))
    diagnostics.error(Code::kSemantic, key_field, "the certificate has no private_key");
  if (!is_set(in.certificate_chain()) || !is_set(in.private_key())) return out;
  const SecretText chain_text = read_data(in.certificate_chain(), chain_field, diagnostics);
  const SecretText key_text = read_data(in.private_key(), key_field, diagnostics);
  if (chain_text.empty() || key_text.empty()) return out;
  Result<Chain> chain = parse_chain(chain_text.view(), std::time(nullptr));
  if (chain) {
    out.chain = chain.take();
  } else {
    diagnostics.error(Code::kInvalidValue, chain_field, chain.error().message);
  }
  const SecretText password = read_password(in, path, diagnostics);
  Result<bssl::UniquePtr<EVP_PKEY>> key = parse_key(key_text.view(), password.view());
  if (key) {
    out.key = key.take();
  } else {
    diagnostics.error(Code::kInvalidValue, key_field, key.error().message);
  }
  return out;
}

bool read_staple(const TlsCertificate& in, const FieldPath& path, Diagnostics& diagnostics,
                 Identity& out) {
  if (!is_set(in.ocsp_staple())) return true;
  const FieldPath field = path.field("ocsp_staple");
  if (in.ocsp_staple().has_inline_string()) {
    diagnostics.error(Code::kInvalidValue, field, "an OCSP response is no text",
                      "give filename or inline_bytes");
    return false;
  }
  const SecretText data = read_data(in.ocsp_staple(), field, diagnostics);
  if (data.empty()) return false;
  Result<OcspStaple> staple = parse_ocsp(data.view(), out.facts());
  if (!staple) {
    diagnostics.error(Code::kInvalidValue, field, staple.error().message);
    return false;
  }
  out.ocsp = staple.take();
  return true;
}

}  // namespace

std::optional<Identity> read_certificate(const TlsCertificate& in, const FieldPath& path,
                                         Diagnostics& diagnostics) {
  Parts parts =
      is_set(in.pkcs12()) ? read_packed(in, path, diagnostics) : read_apart(in, path, diagnostics);
  if (!parts.chain || parts.key == nullptr) return std::nullopt;
  Result<Identity> identity = make_identity(std::move(*parts.chain), std::move(parts.key));
  if (!identity) {
    diagnostics.error(Code::kSemantic, path.field("private_key"), identity.error().message,
                      "give the chain and the key of the same certificate, the leaf first");
    return std::nullopt;
  }
  identity->path = in.certificate_chain().filename();
  if (!read_staple(in, path, diagnostics, *identity)) return std::nullopt;
  return identity.take();
}

std::optional<TicketKeys> read_ticket_keys(const TlsSessionTicketKeys& in, const FieldPath& path,
                                           Diagnostics& diagnostics) {
  std::vector<TicketKey> keys;
  const FieldPath field = path.field("keys");
  for (int i = 0; i < in.keys_size(); ++i) {
    const FieldPath at = field.at(i);
    const SecretText bytes = read_data(in.keys(i), at, diagnostics);
    if (bytes.empty()) continue;
    if (Result<TicketKey> key = TicketKey::parse(bytes.view())) {
      keys.push_back(key.take());
    } else {
      diagnostics.error(Code::kInvalidValue, at, key.error().message);
    }
  }
  if (keys.size() != static_cast<size_t>(in.keys_size())) return std::nullopt;
  return TicketKeys(std::move(keys));
}

}  // namespace weir::tls
