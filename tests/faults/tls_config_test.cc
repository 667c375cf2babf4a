// What a certificate of the configuration may lack: each is one error, at its place in the file,
// and shows nothing of a key.
#include <gtest/gtest.h>

#include <algorithm>

#include "proxy/tls/testing/certificates.h"
#include "tests/harness/child_process.h"
#include "tests/harness/weir_process.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;
using tls::testing::Certificate;
using tls::testing::make_root;

// As JSON has it, which YAML takes too: on one line.
std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out + "\"";
}

struct Wrong {
  std::string chain, key;
  std::string curve = "P-256";
};

std::string config_of(const Wrong& wrong) {
  return "static_resources:\n"
         "  listeners:\n"
         "  - name: l\n"
         "    address: {socket_address: {address: 127.0.0.1, port_value: 0}}\n"
         "    filter_chains:\n"
         "    - transport_socket:\n"
         "        name: tls\n"
         "        typed_config:\n"
         "          \"@type\": type.googleapis.com/"
         "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext\n"
         "          common_tls_context:\n"
         "            tls_params: {ecdh_curves: [X25519, " +
         wrong.curve +
         "]}\n"
         "            tls_certificates:\n"
         "            - certificate_chain: {inline_string: " +
         wrong.chain +
         "}\n"
         "              private_key: {inline_string: " +
         wrong.key +
         "}\n"
         "      filters:\n"
         "      - name: tcp\n"
         "        typed_config:\n"
         "          \"@type\": type.googleapis.com/"
         "envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy\n"
         "          stat_prefix: t\n"
         "          cluster: c\n"
         "  clusters:\n"
         "  - {name: c, type: STATIC}\n";
}

class TlsConfig : public testing::Test {
 protected:
  // The one error that the configuration brings, expected where `at` stands in it.
  std::string only_error(const Wrong& wrong, const std::string& at) const {
    const std::string folder = new_scratch_folder("config");
    const std::string path = folder + "/c.yaml";
    const std::string text = config_of(wrong);
    write_file(path, text);
    ChildProcess child({weir_program(), "-c", path, "--mode", "validate"},
                       {.output_path = folder + "/output"});
    EXPECT_EQ(child.wait(20s), 1);
    const std::string output = read_file(folder + "/output");
    EXPECT_EQ(output.find("PRIVATE KEY"), std::string::npos) << output;
    EXPECT_EQ(output.find(key_line_), std::string::npos) << output;
    const size_t place = text.find(at);
    const size_t begin = text.rfind('\n', place) + 1;
    const auto line =
        1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(place), '\n');
    const std::string start =
        path + ":" + std::to_string(line) + ":" + std::to_string(place - begin + 1) + ": error: ";
    if (!output.starts_with(start)) return "not at " + start + "\n" + output;
    EXPECT_EQ(output.find("error: ", start.size()), std::string::npos) << output;
    return output.substr(start.size(), output.find('\n') - start.size());
  }

  const Certificate root_ = make_root();
  const Certificate leaf_ = root_.issue({.common_name = "leaf"});
  const std::string chain_ = quoted(leaf_.pem());
  const std::string key_ = quoted(leaf_.key_pem());
  // A line of the key's text.
  const std::string key_line_ = leaf_.key_pem().substr(leaf_.key_pem().find('\n') + 1, 40);
};

TEST_F(TlsConfig, ABadCertificate) {
  EXPECT_EQ(only_error({.chain = "hello", .key = key_}, "certificate_chain:"),
            "there is no certificate in PEM form [invalid-value]");
  const std::string broken =
      "\"-----BEGIN CERTIFICATE-----\\nMIIB\\n-----END CERTIFICATE-----\\n\"";
  EXPECT_NE(only_error({.chain = broken, .key = key_}, "certificate_chain:").find("certificate"),
            std::string::npos);
}

TEST_F(TlsConfig, AKeyOfAnother) {
  const Certificate other = root_.issue({.common_name = "other"});
  EXPECT_EQ(only_error({.chain = quoted(other.pem()), .key = key_}, "private_key:"),
            "the private key is not that of the certificate 'CN=other' [semantic]");
  EXPECT_NE(only_error({.chain = chain_, .key = "hello"}, "private_key:")
                .find("there is no private key in PEM form"),
            std::string::npos);
}

TEST_F(TlsConfig, AKeyOnACurveThatDoesNotWork) {
  const std::string key =
      "-----BEGIN EC PRIVATE KEY-----\n"
      "MHQCAQEEIIuoZq2i144t/ANdx9nzLQn0PPT7dt7enQbe7dakyOA4oAcGBSuBBAAK\n"
      "oUQDQgAEvDQJCGef/5itpb6Ftok0NfaSqxUC+tnjdYrRUQJXXIDCGcTE+NtAxKc6\n"
      "uwh/H6REwc9SyBajoQH75g+rgAEBaA==\n"
      "-----END EC PRIVATE KEY-----\n";
  EXPECT_EQ(only_error({.chain = chain_, .key = quoted(key)}, "private_key:"),
            "the private key is on the curve secp256k1, which is not supported; ECDSA keys work on "
            "P-256, P-384 and P-521 [invalid-value]");
}

TEST_F(TlsConfig, AChainThatHasExpired) {
  const Certificate old = root_.issue({.common_name = "old", .valid_for_s = -5});
  EXPECT_TRUE(
      only_error({.chain = quoted(old.pem()), .key = quoted(old.key_pem())}, "certificate_chain:")
          .starts_with("the certificate 'CN=old' expired on "));
  EXPECT_TRUE(
      only_error({.chain = quoted(leaf_.pem() + old.pem()), .key = key_}, "certificate_chain:")
          .starts_with("the certificate 'CN=old' expired on "))
      << "anywhere in it";
}

TEST_F(TlsConfig, AnUnknownCurve) {
  EXPECT_EQ(only_error({.chain = chain_, .key = key_, .curve = "P-257"}, "P-257"),
            "unknown curve 'P-257'; there are X25519, P-256, P-384 and P-521 [invalid-value]");
}

}  // namespace
}  // namespace weir::test
