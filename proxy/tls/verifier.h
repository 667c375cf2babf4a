#pragma once

#include <openssl/pool.h>
#include <openssl/stack.h>
#include <openssl/x509.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proxy/base/result.h"
#include "proxy/net/certificate.h"
#include "proxy/net/tls_session.h"
#include "proxy/tls/san_matcher.h"

namespace weir::tls {

using BufferStack = STACK_OF(CRYPTO_BUFFER);
using X509Stack = STACK_OF(X509);

// Certificate authorities and revocation lists.
class TrustStore {
 public:
  TrustStore();

  // Certificates and revocation lists of a PEM text; says how many certificates there were.
  Result<size_t> add_pem(std::string_view pem);
  // Only revocation lists; says how many there were.
  Result<size_t> add_revocations(std::string_view pem);

  // The file they come from, for lists; empty when they were given in place.
  void set_path(std::string path) { path_ = std::move(path); }
  const std::string& path() const { return path_; }

  X509_STORE& store() const { return *store_; }
  bool has_revocations() const { return has_revocations_; }
  const std::vector<net::CertificateFacts>& authorities() const { return authorities_; }
  // The authorities' names, for a server's certificate request.
  bssl::UniquePtr<BufferStack> names() const;

 private:
  bssl::UniquePtr<X509_STORE> store_;
  std::vector<net::CertificateFacts> authorities_;
  std::vector<std::string> names_;  // DER
  std::string path_;
  bool has_revocations_ = false;
};

using Sha256 = std::array<uint8_t, 32>;

// What is asked of the peer's certificate.
struct TrustRules {
  std::unique_ptr<TrustStore> trusted;  // null: the chain is not looked at
  // SPIFFE: an authority per trust domain, chosen by the leaf's URI. Instead of `trusted`.
  std::map<std::string, std::unique_ptr<TrustStore>, std::less<>> trust_domains;
  std::vector<SanMatcher> sans;  // one of them; empty: any
  std::vector<Sha256> certificate_hashes;
  std::vector<Sha256> key_hashes;  // either of one of both lists; both empty: any
  int max_depth = 100;
  bool accept_untrusted = false;
  bool allow_expired = false;
  bool only_leaf_revocations = false;

  bool ask_nothing() const {
    return trusted == nullptr && trust_domains.empty() && sans.empty() &&
           certificate_hashes.empty() && key_hashes.empty();
  }
};

// Checks certificates. Immutable; any thread.
class Verifier {
 public:
  struct Outcome {
    net::PeerVerdict verdict;
    int alert = 0;    // what the peer is told
    std::string why;  // for logs
    bool accepted() const {
      return verdict == net::PeerVerdict::kValid || verdict == net::PeerVerdict::kAccepted ||
             verdict == net::PeerVerdict::kNotChecked;
    }
  };

  explicit Verifier(TrustRules rules) : rules_(std::move(rules)) {}

  // `chain` as the peer sent it, the leaf first. `peer_is_client`: what its use must allow.
  // `name`: further, the leaf must be for this name; empty: no such demand.
  Outcome verify(const BufferStack& chain, bool peer_is_client, std::string_view name) const;
  const TrustRules& rules() const { return rules_; }

 private:
  Outcome check_names(X509& leaf, std::string_view name) const;
  Outcome check_chain(X509& leaf, X509Stack& others, bool peer_is_client) const;
  const TrustStore* store_for(X509& leaf, std::string& why) const;
  bool hash_listed(X509& leaf) const;

  TrustRules rules_;
};

}  // namespace weir::tls
