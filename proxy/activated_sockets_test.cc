#include "proxy/activated_sockets.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>

namespace weir {
namespace {

net::Address loopback(uint16_t port) {
  return net::Address::ip("127.0.0.1", port).take();
}

// A socket at a port that the kernel chooses.
int open_listening(bool listening = true) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_storage to;
  const socklen_t length = loopback(0).to_sockaddr(to);
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&to), length), 0);
  if (listening) {
    EXPECT_EQ(listen(fd, 1), 0);
  }
  return fd;
}

struct Environment {
  Environment(const std::string& pid, const std::string& count) {
    setenv("LISTEN_PID", pid.c_str(), 1);
    setenv("LISTEN_FDS", count.c_str(), 1);
    setenv("LISTEN_FDNAMES", "a", 1);
  }
};

TEST(ActivatedSockets, AreTakenByTheirAddressOnce) {
  const int fd = open_listening();
  const net::Address address = bound_address(fd);
  ActivatedSockets sockets;
  ASSERT_TRUE(sockets.adopt(fd, 1, {}));
  EXPECT_TRUE(sockets.take("front", loopback(address.port() ^ 1)).empty());
  EXPECT_EQ(sockets.take("front", address), std::vector<int>{fd});
  EXPECT_TRUE(sockets.take("front", address).empty());
  EXPECT_NE(fcntl(fd, F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(fcntl(fd, F_GETFL) & O_NONBLOCK, 0);
  close(fd);
}

TEST(ActivatedSockets, WhereAnyPortWillDoTheNameDecides) {
  const int fd = open_listening();
  ActivatedSockets sockets;
  ASSERT_TRUE(sockets.adopt(fd, 1, {"front"}));
  EXPECT_TRUE(sockets.take("back", loopback(0)).empty());
  EXPECT_EQ(sockets.take("front", loopback(0)), std::vector<int>{fd});
  close(fd);
}

TEST(ActivatedSockets, WithoutANameOnlyTheAddressCounts) {
  const int fd = open_listening();
  ActivatedSockets sockets;
  ASSERT_TRUE(sockets.adopt(fd, 1, {}));
  EXPECT_TRUE(sockets.take("", loopback(0)).empty()) << "the admin port, wherever";
  EXPECT_EQ(sockets.close_rest().size(), 1u);
}

TEST(ActivatedSockets, ClosesWhatNobodyTakes) {
  const int fd = open_listening();
  const std::string address = bound_address(fd).text();
  ActivatedSockets sockets;
  ASSERT_TRUE(sockets.adopt(fd, 1, {}));
  EXPECT_EQ(sockets.close_rest(), std::vector<std::string>{address});
  EXPECT_EQ(fcntl(fd, F_GETFD), -1);
}

TEST(ActivatedSockets, RefusesWhatDoesNotListen) {
  const int fd = open_listening(false);
  ActivatedSockets sockets;
  const Result<void> adopted = sockets.adopt(fd, 1, {});
  ASSERT_FALSE(adopted);
  EXPECT_NE(adopted.error().message.find(std::to_string(fd)), std::string::npos);
  EXPECT_FALSE(sockets.adopt(1000, 1, {})) << "no descriptor at all";
  close(fd);
}

TEST(ActivatedSockets, TheEnvironmentIsReadOnce) {
  const Environment set(std::to_string(getpid()), "0");
  ActivatedSockets sockets;
  EXPECT_TRUE(sockets.read_environment());
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"})
    EXPECT_EQ(getenv(name), nullptr) << name;
  EXPECT_TRUE(sockets.read_environment());
}

TEST(ActivatedSockets, TheEnvironmentOfAnotherProcessIsIgnored) {
  const Environment set(std::to_string(getpid() + 1), "900");
  ActivatedSockets sockets;
  EXPECT_TRUE(sockets.read_environment());
}

TEST(ActivatedSockets, RefusesAnEnvironmentThatMakesNoSense) {
  for (const char* count : {"", "x", "-1", "3 ", "99999999999"}) {
    const Environment set(std::to_string(getpid()), count);
    ActivatedSockets sockets;
    EXPECT_FALSE(sockets.read_environment()) << count;
  }
}

TEST(ServiceManager, IsTold) {
  const std::string name = "@weir_notify_test_" + std::to_string(getpid());
  const net::Address address = net::Address::unix_path(name).take();
  sockaddr_storage where;
  const socklen_t length = address.to_sockaddr(where);
  const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&where), length), 0);
  setenv("NOTIFY_SOCKET", name.c_str(), 1);
  EXPECT_TRUE(tell_service_manager("READY=1"));
  char bytes[32] = {};
  EXPECT_EQ(recv(fd, bytes, sizeof(bytes), 0), 7);
  EXPECT_STREQ(bytes, "READY=1");
  close(fd);
  EXPECT_FALSE(tell_service_manager("READY=1")) << "nobody listens any more";
  unsetenv("NOTIFY_SOCKET");
  EXPECT_TRUE(tell_service_manager("READY=1"));
}

}  // namespace
}  // namespace weir
