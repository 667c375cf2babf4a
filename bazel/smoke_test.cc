// One use of each third party: proves that headers and archives fit each other, that BoringSSL is
// the one with assembly, and that Envoy's messages are found by name with their rules.
#include <ares.h>
#include <event2/event.h>
#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>
#include <openssl/crypto.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/hmac.h>
#include <openssl/nid.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <prometheus/counter.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>
#include <re2/re2.h>
#include <yaml-cpp/yaml.h>
#include <zlib.h>

#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "validate/validate.pb.h"

#ifndef OPENSSL_IS_BORINGSSL
#error "openssl/ headers are not BoringSSL's"
#endif
#ifdef OPENSSL_NO_ASM
#error "BoringSSL is built without its assembly"
#endif
#ifdef OPENSSL_SMALL
#error "BoringSSL is built for size"
#endif

namespace {

TEST(Smoke, YamlCppParses) {
  EXPECT_EQ(YAML::Load("a: [1, 2]")["a"][1].as<int>(), 2);
}

TEST(Smoke, Re2Matches) {
  std::string captured;
  EXPECT_TRUE(RE2::FullMatch("/api/v1", "/api/(\\w+)", &captured));
  EXPECT_EQ(captured, "v1");
}

std::string hex(const uint8_t* bytes, size_t size) {
  std::string text;
  for (size_t i = 0; i < size; ++i) {
    text += "0123456789abcdef"[bytes[i] >> 4];
    text += "0123456789abcdef"[bytes[i] & 15];
  }
  return text;
}

TEST(Smoke, BoringSslHashes) {
  std::array<uint8_t, SHA256_DIGEST_LENGTH> digest;
  SHA256(reinterpret_cast<const uint8_t*>("abc"), 3, digest.data());
  EXPECT_EQ(hex(digest.data(), 4), "ba7816bf");
  // RFC 4231, test case 2.
  unsigned size = 0;
  HMAC(EVP_sha256(), "Jefe", 4, reinterpret_cast<const uint8_t*>("what do ya want for nothing?"),
       28, digest.data(), &size);
  EXPECT_EQ(size, 32u);
  EXPECT_EQ(hex(digest.data(), 4), "5bdcc146");
}

TEST(Smoke, BoringSslSignsWithP256) {
  bssl::UniquePtr<EC_KEY> key(EC_KEY_new_by_curve_name(NID_X9_62_prime256v1));
  ASSERT_TRUE(key);
  ASSERT_EQ(EC_KEY_generate_key(key.get()), 1);
  const std::array<uint8_t, 32> digest{1, 2, 3};
  std::string signature(ECDSA_size(key.get()), '\0');
  auto* out = reinterpret_cast<uint8_t*>(signature.data());
  unsigned size = 0;
  ASSERT_EQ(ECDSA_sign(0, digest.data(), digest.size(), out, &size, key.get()), 1);
  EXPECT_EQ(ECDSA_verify(0, digest.data(), digest.size(), out, size, key.get()), 1);
  out[size / 2] ^= 1;
  EXPECT_EQ(ECDSA_verify(0, digest.data(), digest.size(), out, size, key.get()), 0);
}

TEST(Smoke, BoringSslMakesATlsContext) {
  bssl::UniquePtr<SSL_CTX> context(SSL_CTX_new(TLS_method()));
  ASSERT_TRUE(context);
  EXPECT_EQ(SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION), 1);
}

TEST(Smoke, CAresStarts) {
  ASSERT_EQ(ares_library_init(ARES_LIB_INIT_ALL), ARES_SUCCESS);
  ares_channel channel = nullptr;
  EXPECT_EQ(ares_init(&channel), ARES_SUCCESS);
  ares_destroy(channel);
  ares_library_cleanup();
}

TEST(Smoke, LibeventRunsAnEvent) {
  std::unique_ptr<event_base, decltype(&event_base_free)> base(event_base_new(), &event_base_free);
  ASSERT_TRUE(base);
  bool ran = false;
  const timeval now{0, 0};
  event_base_once(
      base.get(), -1, EV_TIMEOUT,
      [](evutil_socket_t, short, void* arg) { *static_cast<bool*>(arg) = true; }, &ran, &now);
  event_base_dispatch(base.get());
  EXPECT_TRUE(ran);
}

TEST(Smoke, Nghttp2MakesASession) {
  nghttp2_session_callbacks* callbacks = nullptr;
  ASSERT_EQ(nghttp2_session_callbacks_new(&callbacks), 0);
  nghttp2_session* session = nullptr;
  EXPECT_EQ(nghttp2_session_server_new(&session, callbacks, nullptr), 0);
  nghttp2_session_del(session);
  nghttp2_session_callbacks_del(callbacks);
}

TEST(Smoke, PrometheusWritesText) {
  prometheus::Registry registry;
  auto& family = prometheus::BuildCounter().Name("requests_total").Help("h").Register(registry);
  family.Add({{"listener", "a"}}).Increment(3);
  const std::string text = prometheus::TextSerializer().Serialize(registry.Collect());
  EXPECT_NE(text.find("requests_total{listener=\"a\"} 3"), std::string::npos) << text;
}

TEST(Smoke, JsonAndZlibWork) {
  EXPECT_EQ(nlohmann::json::parse(R"({"a":[1]})")["a"][0], 1);
  EXPECT_EQ(crc32(0, reinterpret_cast<const Bytef*>("123456789"), 9), 0xcbf43926u);
}

const google::protobuf::Descriptor* find_message(const std::string& name) {
  return google::protobuf::DescriptorPool::generated_pool()->FindMessageTypeByName(name);
}

TEST(Smoke, EnvoyMessagesAreFoundByName) {
  for (const char* name : {
           "envoy.config.bootstrap.v3.Bootstrap",
           "envoy.extensions.clusters.dns.v3.DnsCluster",
           "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit",
           "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
           "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext",
           "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
       }) {
    EXPECT_NE(find_message(name), nullptr) << name;
  }
}

TEST(Smoke, EnvoyRulesAreReadByReflection) {
  const auto* bootstrap = find_message("envoy.config.bootstrap.v3.Bootstrap");
  ASSERT_NE(bootstrap, nullptr);
  const auto* cluster = find_message("envoy.config.cluster.v3.Cluster");
  ASSERT_NE(cluster, nullptr);
  const auto* name = cluster->FindFieldByName("name");
  ASSERT_NE(name, nullptr);
  ASSERT_TRUE(name->options().HasExtension(validate::rules));
  EXPECT_EQ(name->options().GetExtension(validate::rules).string().min_len(), 1u);
}

TEST(Smoke, EnvoyRulesKnowIgnoreEmpty) {
  const auto* options = find_message("envoy.config.core.v3.AlternateProtocolsCacheOptions");
  ASSERT_NE(options, nullptr);
  const auto* suffixes = options->FindFieldByName("canonical_suffixes");
  EXPECT_NE(suffixes, nullptr);
  validate::StringRules rules;
  rules.set_ignore_empty(true);
  EXPECT_TRUE(rules.ignore_empty());
}

}  // namespace
