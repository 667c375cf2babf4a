#include "proxy/tls/identity.h"

#include <gtest/gtest.h>
#include <openssl/base64.h>
#include <openssl/bytestring.h>
#include <openssl/evp.h>
#include <openssl/mem.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <fstream>
#include <string>

#include "proxy/tls/secret_text.h"
#include "proxy/tls/testing/certificates.h"

namespace weir::tls {
namespace {

using testing::Certificate;
using testing::KeyKind;
using testing::make_root;
using testing::Wanted;

int64_t now() {
  return std::time(nullptr);
}

// ---- chains ----

TEST(Chain, LeafFirstWithItsFacts) {
  const Certificate root = make_root();
  const Certificate leaf = root.issue({.common_name = "leaf",
                                       .dns = {"a.example.com", "*.b.example.com"},
                                       .uris = {"spiffe://td/x"},
                                       .ips = {"10.0.0.1", "::1"},
                                       .emails = {"a@example.com"}});
  const Result<Chain> chain = parse_chain("text before\n" + leaf.pem() + root.pem(), now());
  ASSERT_TRUE(chain.ok()) << chain.error().message;
  ASSERT_EQ(chain->certificates.size(), 2u);
  const net::CertificateFacts& facts = chain->facts[0];
  EXPECT_EQ(facts.subject, "CN=leaf");
  EXPECT_EQ(facts.issuer, "CN=test root");
  EXPECT_EQ(facts.dns_sans, (std::vector<std::string>{"a.example.com", "*.b.example.com"}));
  EXPECT_EQ(facts.uri_sans, std::vector<std::string>{"spiffe://td/x"});
  EXPECT_EQ(facts.ip_sans, (std::vector<std::string>{"10.0.0.1", "::1"}));
  EXPECT_EQ(facts.email_sans, std::vector<std::string>{"a@example.com"});
  EXPECT_EQ(facts.sha256, leaf.sha256_hex());
  EXPECT_NEAR(static_cast<double>(facts.not_before_s), static_cast<double>(now() - 3600), 5);
  EXPECT_NEAR(static_cast<double>(facts.not_after_s), static_cast<double>(now() + 86400), 5);
}

TEST(Chain, RefusesWhatIsNone) {
  const std::string good = make_root().pem();
  std::string broken = good;
  broken[broken.size() / 2] = '!';
  for (const std::string& text : {std::string(), std::string("hello"), broken, good + broken}) {
    const Result<Chain> chain = parse_chain(text, now());
    ASSERT_FALSE(chain.ok()) << text;
    EXPECT_EQ(chain.error().code, "bad-chain");
  }
}

TEST(Chain, RefusesWhatHasExpiredAnywhereInIt) {
  const Certificate root = make_root();
  const Certificate old = root.issue({.common_name = "old", .valid_for_s = -10});
  const Certificate later = root.issue({.common_name = "later", .valid_from_s = 1000});
  const Result<Chain> expired = parse_chain(root.pem() + old.pem(), now());
  ASSERT_FALSE(expired.ok());
  EXPECT_EQ(expired.error().code, "expired");
  EXPECT_NE(expired.error().message.find("'CN=old' expired on 20"), std::string::npos)
      << expired.error().message;
  EXPECT_EQ(parse_chain(later.pem(), now()).error().code, "not-yet-valid");
}

TEST(Facts, NamesWithANulByteAreLeftOut) {
  const Certificate leaf(Wanted{.dns = {std::string("good.com\0.evil.com", 18), "plain.com"}});
  const Result<Chain> chain = parse_chain(leaf.pem(), now());
  ASSERT_TRUE(chain.ok());
  EXPECT_EQ(chain->facts[0].dns_sans, std::vector<std::string>{"plain.com"});
}

TEST(Facts, PemForHeadersCarriesNoForbiddenByte) {
  const Certificate leaf(Wanted{.common_name = "leaf"});
  const std::string text = net::url_encoded_pem(leaf.der());
  EXPECT_EQ(text.find_first_of("\n +/="), std::string::npos);
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      decoded += text[i];
      continue;
    }
    decoded += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
    i += 2;
  }
  EXPECT_EQ(decoded, leaf.pem());
}

// ---- keys ----

TEST(Key, OfEachKind) {
  for (const KeyKind kind : {KeyKind::kP256, KeyKind::kP384, KeyKind::kRsa2048}) {
    const Certificate one(Wanted{.key = kind});
    EXPECT_TRUE(parse_key(one.key_pem(), {}).ok()) << static_cast<int>(kind);
  }
  const Result<bssl::UniquePtr<EVP_PKEY>> other =
      parse_key(Certificate(Wanted{.key = KeyKind::kEd25519}).key_pem(), {});
  ASSERT_FALSE(other.ok());
  EXPECT_NE(other.error().message.find("neither RSA nor ECDSA"), std::string::npos);
}

// Keys for nothing, made by openssl; BoringSSL can make none on these curves.
constexpr std::string_view kSec1OnSecp256k1 =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MHQCAQEEIIuoZq2i144t/ANdx9nzLQn0PPT7dt7enQbe7dakyOA4oAcGBSuBBAAK\n"
    "oUQDQgAEvDQJCGef/5itpb6Ftok0NfaSqxUC+tnjdYrRUQJXXIDCGcTE+NtAxKc6\n"
    "uwh/H6REwc9SyBajoQH75g+rgAEBaA==\n"
    "-----END EC PRIVATE KEY-----\n";
constexpr std::string_view kPkcs8OnSecp256k1 =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQgS47tR020lOl6gk1vlVVb\n"
    "sb2vNXAA12UMaylhOb6CML2hRANCAAT1+73DPvDghNIsLfYaLc+Q4wD81XFQxdWs\n"
    "IGIpaWfd0jsv/4iFfusGynNNgdXIOF/It6v+iUTD/uomEECiq2T5\n"
    "-----END PRIVATE KEY-----\n";
constexpr std::string_view kEncryptedOnSecp256k1 =  // with "secret"
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIHsMFcGCSqGSIb3DQEFDTBKMCkGCSqGSIb3DQEFDDAcBAgcVZuyTds9NwICCAAw\n"
    "DAYIKoZIhvcNAgkFADAdBglghkgBZQMEASoEEBdXg0Xza/3vz+R4t51UFbUEgZDV\n"
    "DF4qJiRhmxcbXL4NwXI5pGDuoRilMend/tFThRNfvm1Jn/ujySJTYMPnrrXy1LRc\n"
    "1PUs9JvABcX4Y7cTYXqDACChhmbfJuBG+DGsWvTsC/4k2uKBTIR10DZDn11yNWXq\n"
    "YMD4AUIFdpzqUUOSlDAG5DPvX3pbEmWChsbV+Eb6AXaskl6uw9dSDRxtcTvgRxo=\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";
constexpr std::string_view kSec1OnSecp224r1 =
    "-----BEGIN EC PRIVATE KEY-----\n"
    "MGgCAQEEHCqV8G/PflimfGlfCNlYfX10Oz3rcuBq9T8CCtegBwYFK4EEACGhPAM6\n"
    "AAQUNMoK0TXxt53F3guFjmm1nJz6A6vkNVvElmQnlkbG9FPVCErj65dMFShi5TTl\n"
    "MCtXIsh2g53dTg==\n"
    "-----END EC PRIVATE KEY-----\n";
constexpr std::string_view kPkcs12OnSecp256k1 =  // with "secret"
    "MIIBfgIBAzCCATQGCSqGSIb3DQEHAaCCASUEggEhMIIBHTCCARkGCSqGSIb3DQEHAaCCAQoEggEGMIIBAjCB/wYL"
    "KoZIhvcNAQwKAQKgge8wgewwVwYJKoZIhvcNAQUNMEowKQYJKoZIhvcNAQUMMBwECKKrI5VrPhjpAgIIADAMBggq"
    "hkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQzPBPpvCIYupFkUxULu7mogSBkG3ddMUBNc812sDaQurRBbZKaN3ss8Xw"
    "iR+2x8UlV4mW236yAda+av99Ld7rYG/+25hREVq3IcG/irLyz+LRXBU73VzuZSJG6BiQfl38wHPwSv8bwKun1lgN"
    "wrfQJLauBVHxPTuWaXScUei7AjFSFcRmJOqVRdwD/2njZqNXAEFijz5lTXYsUfqyxPploZAc1jBBMDEwDQYJYIZI"
    "AWUDBAIBBQAEILib0Rzk7hD285WXHNd1H2wLt/GwzRmWXYnS1CXVXLyXBAiMJtE058sg6gICCAA=";

TEST(Key, OnACurveThatDoesNotWork) {
  constexpr std::string_view kEnd =
      "which is not supported; ECDSA keys work on P-256, P-384 and P-521";
  for (const std::string_view pem : {kSec1OnSecp256k1, kPkcs8OnSecp256k1})
    EXPECT_EQ(parse_key(pem, {}).error().message,
              "the private key is on the curve secp256k1, " + std::string(kEnd));
  EXPECT_EQ(parse_key(kSec1OnSecp224r1, {}).error().message,
            "the private key is on the curve secp224r1, " + std::string(kEnd));
  const std::string unnamed =
      "the private key is on a curve that is not supported; ECDSA keys work on P-256, P-384 and "
      "P-521";
  EXPECT_EQ(parse_key(kEncryptedOnSecp256k1, "secret").error().message, unnamed);
  EXPECT_NE(parse_key(kEncryptedOnSecp256k1, {}).error().message.find("give its password"),
            std::string::npos);
  std::string der(kPkcs12OnSecp256k1.size(), '\0');
  size_t size = 0;
  ASSERT_TRUE(EVP_DecodeBase64(reinterpret_cast<uint8_t*>(der.data()), &size, der.size(),
                               reinterpret_cast<const uint8_t*>(kPkcs12OnSecp256k1.data()),
                               kPkcs12OnSecp256k1.size()));
  der.resize(size);
  EXPECT_EQ(parse_pkcs12(der, "secret", now()).error().message, unnamed);
}

TEST(Key, ThatIsBroken) {
  const std::string pem = Certificate(Wanted{}).key_pem();
  const size_t middle = pem.size() / 2;
  const std::string shorter =
      pem.substr(0, middle - middle % 4) + "\n" + pem.substr(pem.find("-----END"));
  EXPECT_TRUE(parse_key(shorter, {}).error().message.starts_with("the private key is broken"));
  EXPECT_TRUE(parse_key("hello", {}).error().message.starts_with("there is no private key"));
}

TEST(Key, EncryptedOnesNeedTheirPassword) {
  const Certificate one(Wanted{});
  const std::string pem = one.encrypted_key_pem("secret");
  EXPECT_TRUE(parse_key(pem, "secret").ok());
  EXPECT_NE(parse_key(pem, "wrong").error().message.find("does not open"), std::string::npos);
  EXPECT_NE(parse_key(pem, {}).error().message.find("give its password"), std::string::npos);
}

TEST(Key, AnErrorNeverShowsTheKey) {
  std::string pem = Certificate(Wanted{}).key_pem();
  const std::string secret = pem.substr(60, 30);
  pem[40] = '!';
  const Result<bssl::UniquePtr<EVP_PKEY>> key = parse_key(pem, {});
  ASSERT_FALSE(key.ok());
  EXPECT_EQ(key.error().message.find(secret), std::string::npos);
}

TEST(Identity, RefusesAnotherCertificatesKey) {
  const Certificate one(Wanted{.common_name = "one"});
  const Certificate other(Wanted{});
  const Result<Identity> identity =
      make_identity(parse_chain(one.pem(), now()).take(), parse_key(other.key_pem(), {}).take());
  ASSERT_FALSE(identity.ok());
  EXPECT_EQ(identity.error().code, "key-mismatch");
  EXPECT_NE(identity.error().message.find("CN=one"), std::string::npos);
}

TEST(Identity, OfPkcs12) {
  const Certificate one(Wanted{.common_name = "packed", .dns = {"Packed.Example.com"}});
  Result<ChainAndKey> both = parse_pkcs12(one.pkcs12("secret"), "secret", now());
  ASSERT_TRUE(both.ok()) << both.error().message;
  const Result<Identity> identity = make_identity(std::move(both->chain), std::move(both->key));
  ASSERT_TRUE(identity.ok());
  EXPECT_EQ(identity->names, std::vector<std::string>{"packed.example.com"});
  EXPECT_TRUE(identity->ecdsa);
  EXPECT_FALSE(parse_pkcs12(one.pkcs12("secret"), "wrong", now()).ok());
  EXPECT_FALSE(parse_pkcs12("no DER", "", now()).ok());
}

// ---- OCSP ----

struct OcspWanted {
  std::string serial;  // bytes
  unsigned verdict = CBS_ASN1_CONTEXT_SPECIFIC | 0;
  std::string next_update = "20990101000000Z";
  uint8_t status = 0;
};

// An OCSPResponse of one SingleResponse; nobody looks at its signature.
std::string ocsp_response(const OcspWanted& wanted) {
  bssl::ScopedCBB cbb;
  CBB response, status, wrapped, bytes, oid, octets, basic, data, responder, produced, list, single;
  CBB id, algorithm, hash, serial, verdict, this_update, next, next_time;
  constexpr unsigned kTag0 = CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 0;
  constexpr unsigned kTag2 = CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 2;
  const auto add = [](CBB* to, std::string_view text) {
    CBB_add_bytes(to, reinterpret_cast<const uint8_t*>(text.data()), text.size());
  };
  CBB_init(cbb.get(), 256);
  CBB_add_asn1(cbb.get(), &response, CBS_ASN1_SEQUENCE);
  CBB_add_asn1(&response, &status, CBS_ASN1_ENUMERATED);
  CBB_add_u8(&status, wanted.status);
  CBB_add_asn1(&response, &wrapped, kTag0);
  CBB_add_asn1(&wrapped, &bytes, CBS_ASN1_SEQUENCE);
  CBB_add_asn1(&bytes, &oid, CBS_ASN1_OBJECT);
  add(&oid, "\x2b\x06\x01\x05\x05\x07\x30\x01\x01");
  CBB_add_asn1(&bytes, &octets, CBS_ASN1_OCTETSTRING);
  CBB_add_asn1(&octets, &basic, CBS_ASN1_SEQUENCE);
  CBB_add_asn1(&basic, &data, CBS_ASN1_SEQUENCE);
  CBB_add_asn1(&data, &responder, kTag2);
  add(&responder, "who");
  CBB_add_asn1(&data, &produced, CBS_ASN1_GENERALIZEDTIME);
  add(&produced, "20200101000000Z");
  CBB_add_asn1(&data, &list, CBS_ASN1_SEQUENCE);
  CBB_add_asn1(&list, &single, CBS_ASN1_SEQUENCE);
  CBB_add_asn1(&single, &id, CBS_ASN1_SEQUENCE);
  CBB_add_asn1(&id, &algorithm, CBS_ASN1_SEQUENCE);
  for (int i = 0; i < 2; ++i) {
    CBB_add_asn1(&id, &hash, CBS_ASN1_OCTETSTRING);
    add(&hash, "hash");
  }
  CBB_add_asn1(&id, &serial, CBS_ASN1_INTEGER);
  add(&serial, wanted.serial);
  CBB_add_asn1(&single, &verdict, wanted.verdict);
  CBB_add_asn1(&single, &this_update, CBS_ASN1_GENERALIZEDTIME);
  add(&this_update, "20200101000000Z");
  CBB_add_asn1(&single, &next, kTag0);
  CBB_add_asn1(&next, &next_time, CBS_ASN1_GENERALIZEDTIME);
  add(&next_time, wanted.next_update);
  uint8_t* der;
  size_t length;
  EXPECT_TRUE(CBB_finish(cbb.get(), &der, &length));
  std::string out(reinterpret_cast<char*>(der), length);
  OPENSSL_free(der);
  return out;
}

TEST(Ocsp, TellsHowLongItIsGood) {
  net::CertificateFacts leaf;
  leaf.serial = "7b";
  const Result<OcspStaple> staple = parse_ocsp(ocsp_response({.serial = "\x7b"}), leaf);
  ASSERT_TRUE(staple.ok()) << staple.error().message;
  EXPECT_EQ(staple->next_update_s, 4070908800);
  EXPECT_TRUE(staple->valid_at(4070908799));
  EXPECT_FALSE(staple->valid_at(4070908800));
  leaf.serial = "ff";
  EXPECT_TRUE(parse_ocsp(ocsp_response({.serial = std::string("\0\xff", 2)}), leaf).ok());
}

TEST(Ocsp, RefusesWhatProvesNothing) {
  net::CertificateFacts leaf;
  leaf.serial = "7b";
  const auto message = [&](const std::string& der) {
    const Result<OcspStaple> staple = parse_ocsp(der, leaf);
    return staple.ok() ? std::string("accepted") : staple.error().message;
  };
  EXPECT_NE(message(ocsp_response({.serial = "\x7c"})).find("for serial 7c"), std::string::npos);
  EXPECT_NE(message(ocsp_response({.serial = "\x7b", .status = 3})).find("failed"),
            std::string::npos);
  constexpr unsigned kRevoked = CBS_ASN1_CONTEXT_SPECIFIC | CBS_ASN1_CONSTRUCTED | 1;
  EXPECT_NE(message(ocsp_response({.serial = "\x7b", .verdict = kRevoked})).find("revoked"),
            std::string::npos);
  EXPECT_NE(message(ocsp_response({.serial = "\x7b", .verdict = CBS_ASN1_CONTEXT_SPECIFIC | 2}))
                .find("does not know"),
            std::string::npos);
  const std::string good = ocsp_response({.serial = "\x7b"});
  for (size_t n = 0; n < good.size(); ++n) EXPECT_NE(message(good.substr(0, n)), "accepted") << n;
}

// ---- secrets ----

TEST(SecretText, ReadsFilesAndNamesWhatItCannotRead) {
  const std::string path = ::testing::TempDir() + "secret_text_test";
  for (const std::string& content : {std::string("one line\n"), std::string(100'000, 'x')}) {
    testing::write_file(path, content);
    const Result<SecretText> text = SecretText::read_file(path);
    ASSERT_TRUE(text.ok()) << text.error().message;
    EXPECT_TRUE(text->view() == content);
  }
  unlink(path.c_str());
  EXPECT_EQ(SecretText::read_file(path).error().message,
            "cannot read '" + path + "': No such file or directory");
  EXPECT_NE(SecretText::read_file("/").error().message.find("directory"), std::string::npos);
  // Nobody writes to it: whoever waits for it hangs.
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(SecretText::read_file(path).error().message,
            "cannot read '" + path + "': it is no regular file");
  unlink(path.c_str());
}

// The flags of the mapping that holds the address, as /proc tells them.
std::string mapping_flags(const void* address) {
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; std::getline(maps, line);) {
    uintptr_t begin = 0;
    uintptr_t end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
      inside = wanted >= begin && wanted < end;
    } else if (inside && line.starts_with("VmFlags:")) {
      return line + " ";
    }
  }
  return "";
}

TEST(SecretText, IsKeptOutOfCoreFiles) {
  const std::string path = ::testing::TempDir() + "secret_text_core_test";
  testing::write_file(path, "a private key");
  const Result<SecretText> text = SecretText::read_file(path);
  unlink(path.c_str());
  ASSERT_TRUE(text.ok()) << text.error().message;
  EXPECT_NE(mapping_flags(text->view().data()).find(" dd "), std::string::npos)
      << mapping_flags(text->view().data());
  const std::string copied = "another one";
  const SecretText copy(copied);
  EXPECT_NE(mapping_flags(copy.view().data()).find(" dd "), std::string::npos);
  EXPECT_EQ(mapping_flags(copied.data()).find(" dd "), std::string::npos) << "other memory is not";
}

}  // namespace
}  // namespace weir::tls
