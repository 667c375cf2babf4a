#include "proxy/upstream/grpc_service.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "envoy/config/core/v3/grpc_service.pb.h"

namespace weir::upstream {
namespace {

struct Compiled {
  explicit Compiled(const std::string& text) {
    envoy::config::core::v3::GrpcService proto;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &proto)) << text;
    const config::FieldPath root;
    const config::FieldPath path = root.field("service");
    config = GrpcServiceConfig::compile(
        proto, path, [](const std::string& name) { return name == "c"; }, diagnostics);
    for (const config::Diagnostic& item : diagnostics.items())
      problems += std::string(code_name(item.code)) + " " + item.field_path + "\n";
  }

  config::Diagnostics diagnostics;
  std::optional<GrpcServiceConfig> config;
  std::string problems;
};

TEST(GrpcService, ReadsATarget) {
  const Compiled made(
      "envoy_grpc { cluster_name: 'c' authority: 'a.example:80' "
      "max_receive_message_length { value: 100 } retry_policy { retry_back_off { "
      "base_interval { seconds: 1 } } } } timeout { nanos: 250000000 } "
      "initial_metadata { key: 'X-Key' value: 'v' } initial_metadata { key: 'k-bin' raw_value: "
      "'AAEC' }");
  ASSERT_TRUE(made.config) << made.problems;
  EXPECT_EQ(made.config->back_off_base_ms, 1000);
  EXPECT_EQ(made.config->back_off_max_ms, 10'000);
  const GrpcMethod method = made.config->method("test.Echo", "Say");
  EXPECT_EQ(method.service, "test.Echo");
  EXPECT_EQ(method.method, "Say");
  EXPECT_EQ(method.authority, "a.example:80");
  EXPECT_EQ(method.timeout_ms, 250);
  EXPECT_EQ(method.max_message_bytes, 100u);
  EXPECT_EQ(*method.metadata, (GrpcMetadata{{"x-key", "v"}, {"k-bin", "AAEC"}}));
}

TEST(GrpcService, HasDefaults) {
  const Compiled made("envoy_grpc { cluster_name: 'c' max_receive_message_length {} }");
  ASSERT_TRUE(made.config) << made.problems;
  EXPECT_EQ(made.config->cluster, "c");
  EXPECT_EQ(made.config->authority, "");
  EXPECT_EQ(made.config->timeout_ms, 0);
  EXPECT_EQ(made.config->max_message_bytes, GrpcServiceConfig::kMaxMessageBytes);
  EXPECT_EQ(made.config->back_off_base_ms, 500);
  EXPECT_EQ(made.config->back_off_max_ms, 30'000);
}

TEST(GrpcService, ReportsEverythingThatIsWrong) {
  const Compiled made(
      "envoy_grpc { cluster_name: 'd' authority: 'a\\n' retry_policy { retry_back_off { "
      "base_interval { seconds: 2 } max_interval { seconds: 1 } } } } timeout { seconds: -1 } "
      "retry_policy {} initial_metadata { key: ':path' value: 'v' } "
      "initial_metadata { key: 'grpc-timeout' value: 'v' } "
      "initial_metadata { key: 'k' value: 'a\\r' } "
      "initial_metadata { key: 'k' value: '%REQ(x)%' }");
  EXPECT_FALSE(made.config);
  EXPECT_EQ(made.problems,
            "reference service.envoy_grpc.cluster_name\n"
            "invalid-value service.envoy_grpc.authority\n"
            "semantic service.envoy_grpc.retry_policy.retry_back_off.max_interval\n"
            "out-of-range service.timeout\n"
            "not-supported service.retry_policy\n"
            "invalid-value service.initial_metadata[0].key\n"
            "invalid-value service.initial_metadata[1].key\n"
            "invalid-value service.initial_metadata[2].value\n"
            "not-supported service.initial_metadata[3].value\n");
}

TEST(GrpcService, HasOneClient) {
  const Compiled google("google_grpc { target_uri: 'dns:///auth:80' stat_prefix: 's' }");
  EXPECT_EQ(google.problems, "not-supported service.google_grpc\n");
  EXPECT_NE(google.diagnostics.items()[0].hint.find("'dns:///auth:80'"), std::string::npos);
  EXPECT_EQ(Compiled("").problems, "constraint service\n");
}

}  // namespace
}  // namespace weir::upstream
