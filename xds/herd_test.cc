// Many instances that lose the same control plane at the same moment, and an outage that lasts.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "xds/client.h"
#include "xds/testing/fake_wire.h"
#include "xds/testing/recording_handler.h"

namespace weir::xds {
namespace {

constexpr int kInstances = 100;

// One process, with chances of its own.
class Instance {
 public:
  Instance(bool delta, unsigned seed) : random_(seed) {
    ClientOptions options;
    options.delta = delta;
    client_ = std::make_unique<Client>(wire_, options);
    client_->set_handler(ResourceType::kCluster, handler_);
    client_->subscribe(ResourceType::kCluster, "*", 0);
    client_->start();
  }

  // The stream breaks off. Returns how long it is until the next one.
  int64_t lose() {
    wire_.random_value = random_();
    wire_.break_off();
    return *wire_.wake_at_ms - wire_.now_ms();
  }
  void pass(int64_t ms) {
    wire_.pass(ms, [this] { client_->tick(); });
  }
  size_t streams() const { return wire_.opened.size(); }
  bool is_open() const { return wire_.is_open(); }

 private:
  std::mt19937_64 random_;
  testing::FakeWire wire_;
  testing::RecordingHandler handler_;
  std::unique_ptr<Client> client_;
};

class HerdTest : public ::testing::TestWithParam<std::tuple<bool, unsigned>> {
 protected:
  HerdTest() {
    const auto [delta, seed] = GetParam();
    for (int i = 0; i < kInstances; ++i)
      instances_.push_back(std::make_unique<Instance>(delta, seed + static_cast<unsigned>(i)));
  }

  std::vector<int64_t> lose_all() {
    std::vector<int64_t> waits;
    for (auto& instance : instances_) waits.push_back(instance->lose());
    return waits;
  }
  // The most that come within so long.
  static int64_t most_within(std::vector<int64_t> times, int64_t ms) {
    std::sort(times.begin(), times.end());
    int64_t most = 0;
    for (auto first = times.begin(); first != times.end(); ++first)
      most = std::max<int64_t>(most, std::upper_bound(first, times.end(), *first + ms) - first);
    return most;
  }

  std::vector<std::unique_ptr<Instance>> instances_;
};
INSTANTIATE_TEST_SUITE_P(Seeds, HerdTest,
                         ::testing::Combine(::testing::Bool(), ::testing::Values(1, 1000, 77777)));

TEST_P(HerdTest, ComesBackSpreadOverTheWholeBackOff) {
  for (const int64_t bound_ms : {500, 1000, 2000, 4000, 8000, 16'000, 30'000, 30'000}) {
    const std::vector<int64_t> waits = lose_all();
    const auto [least, most] = std::minmax_element(waits.begin(), waits.end());
    EXPECT_LT(*most, bound_ms);
    EXPECT_LT(*least, bound_ms / 10);
    EXPECT_GT(*most, bound_ms * 9 / 10);
    // 10 on average; 25 is beyond five standard deviations.
    EXPECT_LE(most_within(waits, bound_ms / 10), 25) << "of " << bound_ms << " ms";
    for (auto& instance : instances_) instance->pass(bound_ms);
    for (auto& instance : instances_) EXPECT_TRUE(instance->is_open());
  }
}

// Ten hours without a control plane: attempts become rare, and never end.
TEST_P(HerdTest, ALongOutageCostsAnAttemptEachQuarterMinute) {
  Instance& one = *instances_[0];
  constexpr int64_t kOutageMs = 10 * 3600 * 1000;
  const size_t before = one.streams();
  int64_t passed_ms = 0;
  while (passed_ms < kOutageMs) {
    const int64_t wait_ms = one.lose();
    EXPECT_LE(wait_ms, 30'000);
    one.pass(wait_ms);
    passed_ms += wait_ms;
  }
  const auto attempts = static_cast<int64_t>(one.streams() - before);
  EXPECT_GT(attempts, kOutageMs / 15'000 * 8 / 10);
  EXPECT_LT(attempts, kOutageMs / 15'000 * 12 / 10);
}

}  // namespace
}  // namespace weir::xds
