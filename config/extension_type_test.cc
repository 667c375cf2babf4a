#include "config/extension_type.h"

#include <gtest/gtest.h>

namespace weir::config {
namespace {

TEST(ExtensionType, OfEnvoysThatAreNotCompiled) {
  for (const char* type : {"envoy.extensions.filters.http.lua.v3.Lua",
                           "envoy.extensions.filters.http.lua.v3.LuaPerRoute",
                           "envoy.extensions.access_loggers.grpc.v3.HttpGrpcAccessLogConfig"}) {
    const UnknownType unknown = describe_unknown_type(type, {});
    EXPECT_EQ(unknown.code, Code::kNotSupported);
    EXPECT_EQ(unknown.message, "extension '" + std::string(type) +
                                   "' exists in Envoy; Weir does not support it yet");
    EXPECT_EQ(unknown.hint, "");
  }
}

TEST(ExtensionType, ThatNobodyHas) {
  const std::vector<std::string_view> known = {"envoy.extensions.filters.http.router.v3.Router"};
  for (const char* type : {"envoy.extensions.filters.http.lua.v3.Lu", "Lua", "", "no.Such"}) {
    const UnknownType unknown = describe_unknown_type(type, known);
    EXPECT_EQ(unknown.code, Code::kUnknownExtension);
    EXPECT_EQ(unknown.message, "there is no extension of type '" + std::string(type) + "' here");
  }
  EXPECT_EQ(describe_unknown_type("envoy.config.filter.http.router.v2.Router", known).hint,
            "did you mean 'envoy.extensions.filters.http.router.v3.Router'?");
  EXPECT_NE(describe_unknown_type("stats.PluginConfig", known).hint.find("Istio"),
            std::string::npos);
}

TEST(ExtensionType, PoliciesMayBePassedOver) {
  const auto may = [](std::string_view path) {
    return may_be_passed_over("acme.v1.Policy", FieldPath::root(path));
  };
  EXPECT_TRUE(may("load_balancing_policy.policies[0].typed_extension_config.typed_config"));
  EXPECT_TRUE(
      may("static_resources.clusters[1].load_balancing_policy.policies[12].typed_extension_config."
          "typed_config"));
  EXPECT_TRUE(
      may("load_balancing_policy.policies[0].typed_extension_config.typed_config."
          "endpoint_picking_policy.policies[1].typed_extension_config.typed_config"));
  EXPECT_FALSE(may("load_balancing_policy.policies[0].typed_extension_config"));
  EXPECT_FALSE(may("http_filters[0].typed_config"));
  EXPECT_FALSE(may("other.policies[0].typed_extension_config.typed_config"));
  EXPECT_FALSE(may("].typed_extension_config.typed_config"));
  for (const char* type : {"pick_first.v3.PickFirst", "subset.v3.Subset"})
    EXPECT_FALSE(may_be_passed_over(
        "envoy.extensions.load_balancing_policies." + std::string(type),
        FieldPath::root("load_balancing_policy.policies[0].typed_extension_config.typed_config")))
        << "Envoy would use it";
}

}  // namespace
}  // namespace weir::config
