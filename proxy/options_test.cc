#include "proxy/options.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace weir {
namespace {

Options parse(const std::vector<std::string>& arguments) {
  Result<Options> options = parse_options(arguments);
  EXPECT_TRUE(options.ok()) << options.error().message;
  return options.ok() ? options.take() : Options();
}

std::string error(const std::vector<std::string>& arguments) {
  const Result<Options> options = parse_options(arguments);
  if (options.ok()) return "accepted";
  EXPECT_EQ(options.error().code, "usage");
  return options.error().message;
}

TEST(OptionsTest, Defaults) {
  const Options options = parse({});
  EXPECT_EQ(options.concurrency, 0u);
  EXPECT_EQ(options.drain_time_s, 600);
  EXPECT_EQ(options.drain_strategy, "gradual");
  EXPECT_EQ(options.log_level, "info");
  EXPECT_FALSE(options.validate_only);
  EXPECT_FALSE(options.json_output);
  EXPECT_EQ(options.load.config_path, "");
}

TEST(OptionsTest, ValuesBehindASpaceOrAnEqualsSign) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"-c", "a.yaml", "--concurrency", "2"},
        {"--config-path", "a.yaml", "--concurrency=2"},
        {"--config-path=a.yaml", "--concurrency=2"}}) {
    const Options options = parse(arguments);
    EXPECT_EQ(options.load.config_path, "a.yaml");
    EXPECT_EQ(options.concurrency, 2u);
  }
  EXPECT_EQ(parse({"--concurrency", "0"}).concurrency, 1u);
  EXPECT_EQ(parse({"--concurrency", "1024"}).concurrency, 1024u);
}

TEST(OptionsTest, EveryOption) {
  const Options options = parse({"--config-yaml",
                                 "a: b=c",
                                 "--mode",
                                 "validate",
                                 "--output",
                                 "json",
                                 "--cpuset-threads",
                                 "--service-cluster",
                                 "front",
                                 "--service-node",
                                 "n1",
                                 "--service-zone",
                                 "z",
                                 "--drain-time-s",
                                 "0",
                                 "--drain-strategy",
                                 "immediate",
                                 "--file-flush-interval-msec",
                                 "250",
                                 "-l",
                                 "debug",
                                 "--component-log-level",
                                 "upstream:debug,config:trace",
                                 "--log-path",
                                 "/var/log/weir",
                                 "--admin-address-path",
                                 "/run/admin",
                                 "--local-address-ip-version",
                                 "v6",
                                 "--allow-unknown-static-fields",
                                 "--reject-unknown-dynamic-fields",
                                 "--disable-hot-restart"});
  EXPECT_EQ(options.load.config_yaml, "a: b=c");
  EXPECT_TRUE(options.validate_only);
  EXPECT_TRUE(options.json_output);
  EXPECT_TRUE(options.cpuset_threads);
  EXPECT_EQ(options.load.service_cluster, "front");
  EXPECT_EQ(options.load.service_node, "n1");
  EXPECT_EQ(options.load.service_zone, "z");
  EXPECT_EQ(options.drain_time_s, 0);
  EXPECT_EQ(options.drain_strategy, "immediate");
  EXPECT_EQ(options.file_flush_interval_ms, 250);
  EXPECT_EQ(options.log_level, "debug");
  EXPECT_EQ(options.component_log_level, "upstream:debug,config:trace");
  EXPECT_EQ(options.log_path, "/var/log/weir");
  EXPECT_EQ(options.admin_address_path, "/run/admin");
  EXPECT_EQ(options.local_address_ip_version, "v6");
  EXPECT_TRUE(options.load.allow_unknown_static_fields);
  EXPECT_TRUE(options.reject_unknown_dynamic_fields);
}

TEST(OptionsTest, HotRestart) {
  const Options none = parse({});
  EXPECT_EQ(none.restart_epoch, 0u);
  EXPECT_FALSE(none.base_id);
  EXPECT_EQ(none.parent_shutdown_time_s, 900);
  EXPECT_EQ(none.ready_fd, -1);
  EXPECT_FALSE(none.disable_hot_restart);
  const std::vector<std::string> arguments = {"--restart-epoch=3",
                                              "--base-id",
                                              "17",
                                              "--parent-shutdown-time-s",
                                              "5",
                                              "--skip-hot-restart-on-no-parent",
                                              "--skip-hot-restart-parent-stats",
                                              "--ready-fd",
                                              "4"};
  const Options all = parse(arguments);
  EXPECT_EQ(all.restart_epoch, 3u);
  EXPECT_EQ(all.base_id, 17u);
  EXPECT_EQ(all.parent_shutdown_time_s, 5);
  EXPECT_TRUE(all.skip_hot_restart_on_no_parent);
  EXPECT_TRUE(all.skip_hot_restart_parent_stats);
  EXPECT_EQ(all.ready_fd, 4);
  EXPECT_EQ(all.command_line, arguments);
  EXPECT_EQ(parse({"--use-dynamic-base-id", "--base-id-path", "/run/id"}).base_id_path, "/run/id");
  EXPECT_TRUE(parse({"--disable-hot-restart"}).disable_hot_restart);
}

TEST(OptionsTest, WhatExcludesEachOther) {
  EXPECT_NE(error({"--use-dynamic-base-id", "--restart-epoch", "1"}).find("epoch 0"),
            std::string::npos);
  EXPECT_NE(error({"--use-dynamic-base-id", "--base-id", "1"}).find("exclude"), std::string::npos);
  EXPECT_NE(error({"--base-id-path", "/x"}).find("--use-dynamic-base-id"), std::string::npos);
  EXPECT_NE(error({"--disable-hot-restart", "--restart-epoch", "1"}).find("--restart-epoch"),
            std::string::npos);
  EXPECT_EQ(error({"--base-id", "-1"}),
            "--base-id takes a whole number from 0 to 4294967295, not '-1'");
}

TEST(OptionsTest, TheLastOneCounts) {
  EXPECT_EQ(parse({"--mode", "validate", "--mode=serve"}).validate_only, false);
  EXPECT_EQ(parse({"--config-yaml="}).load.config_yaml, "");
}

TEST(OptionsTest, HelpAndVersion) {
  EXPECT_TRUE(parse({"-h"}).show_help);
  EXPECT_TRUE(parse({"--help"}).show_help);
  EXPECT_TRUE(parse({"--version"}).show_version);
  EXPECT_EQ(version_text().substr(0, 5), "weir ");
  const std::string help = help_text();
  for (const char* flag : {"-c, --config-path FILE", "--concurrency N", "--mode MODE",
                           "--output FORMAT", "weir demo-upstream", "Exit status"})
    EXPECT_NE(help.find(flag), std::string::npos) << flag;
}

TEST(OptionsTest, UnknownArguments) {
  EXPECT_EQ(error({"--concurency", "2"}),
            "unknown argument '--concurency'; did you mean '--concurrency'?");
  EXPECT_EQ(error({"file.yaml"}), "unknown argument 'file.yaml'");
  EXPECT_EQ(error({"-x"}).substr(0, 21), "unknown argument '-x'");
  EXPECT_EQ(error({""}), "unknown argument ''");
}

TEST(OptionsTest, MissingAndSuperfluousValues) {
  EXPECT_EQ(error({"-c"}), "--config-path needs a value");
  EXPECT_EQ(error({"--version=1"}), "--version takes no value");
}

TEST(OptionsTest, BadValues) {
  for (const char* value : {"", "-1", "two", "2x", "1025", "100000", "4294967296", " 2", "+2"})
    EXPECT_EQ(
        error({"--concurrency", value}),
        "--concurrency takes a whole number from 0 to 1024, not '" + std::string(value) + "'");
  for (const char* value : {"-1", "31536001", "9223372036854775807", "9223372036854775808"})
    for (const std::string name : {"--drain-time-s", "--parent-shutdown-time-s"})
      EXPECT_EQ(error({name, value}),
                name + " takes a whole number from 0 to 31536000, not '" + value + "'");
  EXPECT_EQ(parse({"--drain-time-s", "31536000"}).drain_time_s, 31'536'000);
  EXPECT_EQ(error({"--file-flush-interval-msec", "31536000001"}),
            "--file-flush-interval-msec takes a whole number from 1 to 31536000000, not "
            "'31536000001'");
  for (const char* value : {"v5", "", "V4", "v4 "})
    EXPECT_EQ(error({"--local-address-ip-version", value}),
              "--local-address-ip-version takes 'v4' or 'v6', not '" + std::string(value) + "'");
  EXPECT_EQ(error({"--mode", "init_only"}), "--mode takes 'serve' or 'validate', not 'init_only'");
  EXPECT_EQ(error({"--output", "xml"}), "--output takes 'text' or 'json', not 'xml'");
  EXPECT_NE(error({"--drain-strategy", "slow"}), "accepted");
}

}  // namespace
}  // namespace weir
