#include "proxy/net/keep_alive.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

namespace weir::net {
namespace {

class KeepAliveTest : public ::testing::Test {
 protected:
  ~KeepAliveTest() override { close(fd_); }

  int value(int level, int option) const {
    int number = -1;
    socklen_t length = sizeof(number);
    getsockopt(fd_, level, option, &number, &length);
    return number;
  }
  int on() const { return value(SOL_SOCKET, SO_KEEPALIVE); }

  int fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
};

TEST_F(KeepAliveTest, NothingWithoutIt) {
  set_keep_alive(std::nullopt, fd_);
  EXPECT_EQ(on(), 0);
}

TEST_F(KeepAliveTest, SetsWhatIsGiven) {
  set_keep_alive(KeepAlive{.probes = 3, .time_s = 30, .interval_s = 5}, fd_);
  EXPECT_EQ(on(), 1);
  EXPECT_EQ(value(IPPROTO_TCP, TCP_KEEPCNT), 3);
  EXPECT_EQ(value(IPPROTO_TCP, TCP_KEEPIDLE), 30);
  EXPECT_EQ(value(IPPROTO_TCP, TCP_KEEPINTVL), 5);
}

TEST_F(KeepAliveTest, LeavesTheRestToTheSystem) {
  const int probes = value(IPPROTO_TCP, TCP_KEEPCNT);
  const int time_s = value(IPPROTO_TCP, TCP_KEEPIDLE);
  set_keep_alive(KeepAlive{.interval_s = 7}, fd_);
  EXPECT_EQ(on(), 1);
  EXPECT_EQ(value(IPPROTO_TCP, TCP_KEEPCNT), probes);
  EXPECT_EQ(value(IPPROTO_TCP, TCP_KEEPIDLE), time_s);
  EXPECT_EQ(value(IPPROTO_TCP, TCP_KEEPINTVL), 7);
}

}  // namespace
}  // namespace weir::net
