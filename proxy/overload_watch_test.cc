#include "proxy/overload_watch.h"

#include <gtest/gtest.h>

#include <fstream>
#include <functional>
#include <thread>

#include "config/bootstrap.h"
#include "config/message_check.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "proxy/net/testing/loop_thread.h"

namespace weir {
namespace {

std::string temporary(const std::string& name) {
  return testing::TempDir() + "/" + name;
}

void write(const std::string& path, const std::string& text) {
  // As a whole: it is read meanwhile.
  std::ofstream(path + ".new") << text;
  ASSERT_EQ(std::rename((path + ".new").c_str(), path.c_str()), 0);
}

// A manager that watches a file, with one action that `trigger` starts.
std::string watching(const std::string& path, const std::string& action,
                     const std::string& trigger) {
  return "overload_manager:\n"
         "  refresh_interval: 0.005s\n"
         "  resource_monitors:\n"
         "  - name: gauge\n"
         "    typed_config:\n"
         "      '@type': type.googleapis.com/"
         "envoy.extensions.resource_monitors.injected_resource.v3.InjectedResourceConfig\n"
         "      filename: " +
         path +
         "\n"
         "  actions:\n"
         "  - name: envoy.overload_actions." +
         action +
         "\n"
         "    triggers: [{name: gauge, " +
         trigger + "}]\n";
}

struct Loaded {
  std::shared_ptr<const OverloadConfig> config;
  config::Diagnostics diagnostics;
};

void load(const std::string& yaml, Loaded& out) {
  config::MessageCheck check(config::default_support());
  config::LoadOptions options;
  options.config_yaml = yaml;
  const auto bootstrap = config::load_bootstrap(options, check, out.diagnostics);
  if (bootstrap != nullptr) out.config = OverloadConfig::compile(*bootstrap, out.diagnostics);
}

class OverloadWatchTest : public testing::Test {
 protected:
  void watch(const std::string& yaml) {
    Loaded loaded;
    load(yaml, loaded);
    ASSERT_NE(loaded.config, nullptr);
    ASSERT_EQ(loaded.diagnostics.error_count(), 0u) << loaded.diagnostics.items()[0].message;
    t_.run([&] { watch_.set(loaded.config); });
  }

  ~OverloadWatchTest() override { t_.stop(); }

  // Waits until that holds, five seconds at most.
  static bool comes_true(const std::function<bool()>& holds) {
    for (int i = 0; i < 1000 && !holds(); ++i)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return holds();
  }

  net::LoopThread t_;
  stats::Registry stats_;
  Overload overload_;
  OverloadWatch watch_{t_.loop(), stats_, overload_};
};

TEST_F(OverloadWatchTest, AThresholdStartsAndEndsAnAction) {
  const std::string path = temporary("threshold");
  write(path, "0.89");
  watch(watching(path, "stop_accepting_requests", "threshold: {value: 0.9}"));
  EXPECT_FALSE(overload_.refused_requests.any());
  write(path, "0.9");
  EXPECT_TRUE(comes_true([&] { return overload_.refused_requests.all(); }));
  EXPECT_EQ(stats_.value("overload.envoy.overload_actions.stop_accepting_requests.active"), 1u);
  EXPECT_EQ(stats_.value("overload.gauge.pressure"), 90u);
  write(path, "0.5");
  EXPECT_TRUE(comes_true([&] { return !overload_.refused_requests.any(); }));
  EXPECT_EQ(stats_.value("overload.envoy.overload_actions.stop_accepting_requests.active"), 0u);
}

TEST_F(OverloadWatchTest, AScaledTriggerHitsAShare) {
  const std::string path = temporary("scaled");
  write(path, "0.75");
  watch(watching(path, "disable_http_keepalive",
                 "scaled: {scaling_threshold: 0.5, saturation_threshold: 1.0}"));
  int hits = 0;
  for (uint64_t i = 0; i < (1u << 20); ++i) hits += overload_.ended_connections.hits(i);
  EXPECT_EQ(hits, 1 << 19);
  EXPECT_EQ(stats_.value("overload.envoy.overload_actions.disable_http_keepalive.scale_percent"),
            50u);
  EXPECT_FALSE(overload_.ended_connections.all());
}

TEST_F(OverloadWatchTest, WhatCannotBeReadKeepsItsLastPressure) {
  const std::string path = temporary("unreadable");
  write(path, "1");
  watch(watching(path, "reject_incoming_connections", "threshold: {value: 0.9}"));
  ASSERT_TRUE(overload_.refused_connections.all());
  for (const char* wrong : {"", "much", "1.5", "-1", "0.5x"}) {
    const uint64_t before = stats_.value("overload.gauge.failed_updates");
    write(path, wrong);
    EXPECT_TRUE(comes_true([&] { return stats_.value("overload.gauge.failed_updates") > before; }))
        << wrong;
    EXPECT_TRUE(overload_.refused_connections.all()) << wrong;
  }
}

TEST_F(OverloadWatchTest, APipeIsNotWaitedFor) {
  const std::string path = temporary("fifo");
  std::remove(path.c_str());
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  watch(watching(path, "stop_accepting_requests", "threshold: {value: 0.9}"));
  EXPECT_TRUE(comes_true([&] { return stats_.value("overload.gauge.failed_updates") > 0; }));
  std::remove(path.c_str());
}

TEST_F(OverloadWatchTest, ShrinksTheHeapNowAndThen) {
  const std::string path = temporary("heap");
  write(path, "1");
  watch(watching(path, "shrink_heap", "threshold: {value: 0.9}"));
  const char* name = "overload.envoy.overload_actions.shrink_heap.shrink_count";
  EXPECT_EQ(stats_.value(name), 1u);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));  // some more looks
  EXPECT_EQ(stats_.value(name), 1u);
}

TEST_F(OverloadWatchTest, MemoryIsThatOfTheProcess) {
  const auto heap = [](const char* bytes) {
    return std::string(
               "overload_manager:\n"
               "  resource_monitors:\n"
               "  - name: heap\n"
               "    typed_config:\n"
               "      '@type': type.googleapis.com/"
               "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig\n"
               "      max_heap_size_bytes: ") +
           bytes +
           "\n"
           "  actions:\n"
           "  - name: envoy.overload_actions.stop_accepting_connections\n"
           "    triggers: [{name: heap, threshold: {value: 0.95}}]\n";
  };
  watch(heap("1000"));
  EXPECT_TRUE(overload_.unaccepted.all());
  watch(heap("1000000000000"));
  EXPECT_FALSE(overload_.unaccepted.any());
  EXPECT_EQ(stats_.value("overload.heap.failed_updates"), 0u);
}

TEST_F(OverloadWatchTest, AConfigWithoutItEndsWhatWasOrdered) {
  const std::string path = temporary("ended");
  write(path, "1");
  watch(watching(path, "stop_accepting_requests", "threshold: {value: 0.9}"));
  ASSERT_TRUE(overload_.refused_requests.all());
  watch("node: {id: a}");
  EXPECT_FALSE(overload_.refused_requests.any());
}

TEST_F(OverloadWatchTest, ConnectionsHaveALimitOfTheirOwn) {
  watch(
      "overload_manager:\n"
      "  resource_monitors:\n"
      "  - name: envoy.resource_monitors.global_downstream_max_connections\n"
      "    typed_config:\n"
      "      '@type': type.googleapis.com/envoy.extensions.resource_monitors."
      "downstream_connections.v3.DownstreamConnectionsConfig\n"
      "      max_active_downstream_connections: 50000\n");
  EXPECT_EQ(overload_.max_connections.load(), 50000u);
}

TEST(ConnectionCount, HoldsItsLimit) {
  ConnectionCount count;
  EXPECT_TRUE(count.try_add(2));
  EXPECT_TRUE(count.try_add(2));
  EXPECT_FALSE(count.try_add(2));
  EXPECT_TRUE(count.try_add(0));
  EXPECT_EQ(count.open(), 3u);
  count.remove();
  count.remove();
  EXPECT_TRUE(count.try_add(2));
}

// The errors of a config, one to a line.
std::string problems(const std::string& yaml) {
  Loaded loaded;
  load(yaml, loaded);
  std::string out;
  for (const auto& item : loaded.diagnostics.items())
    out += item.field_path + ": " + item.message + "\n";
  return out;
}

TEST(OverloadConfig, WhatIsWrongIsNamed) {
  EXPECT_EQ(problems(watching("/f", "reset_high_memory_stream", "threshold: {value: 0.9}")),
            "overload_manager.actions[0].name: Weir has no overload action "
            "'envoy.overload_actions.reset_high_memory_stream'\n");
}

TEST(OverloadConfig, ATriggerNeedsItsMonitor) {
  std::string yaml = watching("/f", "shrink_heap", "threshold: {value: 0.9}");
  yaml.replace(yaml.find("{name: gauge"), 12, "{name: heap");
  EXPECT_EQ(problems(yaml),
            "overload_manager.actions[0].triggers[0].name: there is no resource monitor 'heap'\n");
}

TEST(OverloadConfig, AScaledTriggerNeedsARange) {
  EXPECT_EQ(problems(watching("/f", "shrink_heap",
                              "scaled: {scaling_threshold: 0.9, saturation_threshold: 0.9}")),
            "overload_manager.actions[0].triggers[0].scaled: scaling_threshold has to be below "
            "saturation_threshold\n");
}

}  // namespace
}  // namespace weir
