#include "proxy/xds_server_options.h"

#include <gtest/gtest.h>

namespace weir {
namespace {

std::string error_of(const std::vector<std::string>& arguments) {
  const auto options = parse_xds_server_options(arguments);
  return options ? "" : options.error().message;
}

TEST(XdsServerOptions, Defaults) {
  const auto options = parse_xds_server_options({"--dir", "here"});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->directory, "here");
  EXPECT_EQ(options->listen.text(), "127.0.0.1:18000");
  EXPECT_EQ(options->admin.text(), "127.0.0.1:18001");
  EXPECT_FALSE(options->validate_only);
  EXPECT_FALSE(options->strict);
  EXPECT_EQ(options->log_level, LogLevel::kInfo);
}

TEST(XdsServerOptions, All) {
  const auto options =
      parse_xds_server_options({"--dir=a=b", "--listen", "unix:/run/x", "--admin", "off",
                                "--validate", "--strict", "--output=json", "--log-level", "debug"});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options->directory, "a=b");
  EXPECT_EQ(options->listen.text(), "/run/x");
  EXPECT_EQ(options->admin.family(), net::Address::Family::kNone);
  EXPECT_TRUE(options->validate_only);
  EXPECT_TRUE(options->strict);
  EXPECT_TRUE(options->json_output);
  EXPECT_EQ(options->log_level, LogLevel::kDebug);
}

TEST(XdsServerOptions, WhatIsWrongIsNamed) {
  EXPECT_EQ(error_of({}), "no directory is given; name one with --dir DIR");
  EXPECT_EQ(error_of({"--dir"}), "--dir needs a value");
  EXPECT_EQ(error_of({"--dri", "x"}), "unknown argument '--dri'; did you mean '--dir'?");
  EXPECT_EQ(error_of({"--strict=yes"}), "--strict takes no value");
  EXPECT_EQ(error_of({"--listen", "localhost:1"}),
            "--listen takes IP:PORT or unix:PATH, not 'localhost:1'");
  EXPECT_EQ(error_of({"--output", "xml"}), "--output takes 'text' or 'json', not 'xml'");
  EXPECT_NE(error_of({"--log-level", "loud"}), "");
}

TEST(XdsServerOptions, HelpNeedsNoDirectory) {
  EXPECT_TRUE(parse_xds_server_options({"--help"}).ok());
  EXPECT_NE(xds_server_help().find("--dir DIR"), std::string::npos);
}

}  // namespace
}  // namespace weir
