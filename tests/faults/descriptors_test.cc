// A process that runs out of file descriptors.
#include <gtest/gtest.h>

#include <thread>

#include "tests/harness/fluent.h"

namespace weir::test {
namespace {

using namespace std::chrono_literals;

TEST(Descriptors, RunningOutDoesNotSpinAndHeals) {
  Proxy proxy = weir().direct("/", 200, "hi").max_files(80).start();
  std::vector<Fd> hogs;
  for (int i = 0; i < 300; ++i) hogs.push_back(connect_to_loopback(proxy.port()));
  std::this_thread::sleep_for(300ms);
  const double before = proxy.cpu_seconds();
  std::this_thread::sleep_for(1s);
  EXPECT_LT(proxy.cpu_seconds() - before, 0.1) << "it spins";
  EXPECT_TRUE(proxy.weir().process().running());
  hogs.clear();
  EXPECT_TRUE(eventually([&] { return proxy.get("/", 500ms).body == "hi"; }));
}

}  // namespace
}  // namespace weir::test
