#include "envoy/admin/v3/certs.pb.h"
#include "proxy/admin/render.h"

namespace weir::admin {
namespace {

using envoy::admin::v3::CertificateDetails;

void fill(const CertificateState& state, int64_t now_s, CertificateDetails& out) {
  constexpr int64_t kDayS = 86400;
  const net::CertificateFacts& facts = state.facts;
  out.set_path(state.path.empty() ? "<inline>" : state.path);
  out.set_serial_number(facts.serial);
  for (const std::string& name : facts.dns_sans) out.add_subject_alt_names()->set_dns(name);
  for (const std::string& name : facts.uri_sans) out.add_subject_alt_names()->set_uri(name);
  for (const std::string& name : facts.ip_sans) out.add_subject_alt_names()->set_ip_address(name);
  if (facts.not_after_s > now_s)
    out.set_days_until_expiration(static_cast<uint64_t>((facts.not_after_s - now_s) / kDayS));
  out.mutable_valid_from()->set_seconds(facts.not_before_s);
  out.mutable_expiration_time()->set_seconds(facts.not_after_s);
}

}  // namespace

Result<std::string> certs_json(const std::vector<CertificateState>& certificates, int64_t now_s) {
  envoy::admin::v3::Certificates out;
  for (const CertificateState& state : certificates) {
    envoy::admin::v3::Certificate& one = *out.add_certificates();
    fill(state, now_s, state.authority ? *one.add_ca_cert() : *one.add_cert_chain());
  }
  return message_json(out, Unset::kPrinted);
}

}  // namespace weir::admin
