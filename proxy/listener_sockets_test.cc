#include "proxy/listener_sockets.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/activated_sockets.h"
#include "proxy/listener_compile.h"

namespace weir {
namespace {

ListenerConfig config_at(const net::Address& address, bool reuse_port = true) {
  ListenerConfig config;
  config.name = "front";
  config.addresses = {address};
  config.reuse_port = reuse_port;
  return config;
}

net::Address any_port() {
  return net::Address::ip("127.0.0.1", 0).take();
}

std::vector<int> all_of(const WorkerSockets& sockets) {
  std::vector<int> out;
  for (const auto& some : sockets) out.insert(out.end(), some.begin(), some.end());
  return out;
}

// So many sockets at one port, as another process would hand them over.
std::vector<int> open_before(size_t count, bool reuse_port = true) {
  std::vector<int> out;
  net::Address address = any_port();
  for (size_t i = 0; i < count; ++i) {
    out.push_back(open_socket(address, config_at(address, reuse_port)).take());
    address = bound_address(out[0]);
  }
  return out;
}

OpenSockets giving(const std::vector<int>& sockets) {
  return [sockets](const std::string&, const net::Address&) { return sockets; };
}

int option_of(int fd, int level, int name) {
  int value = -1;
  socklen_t length = sizeof(value);
  getsockopt(fd, level, name, &value, &length);
  return value;
}

std::string bytes_of(int value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

TEST(ListenerSockets, ConnectionsInheritTheOptionsThatAreConfigured) {
  ListenerConfig config = config_at(any_port());
  config.socket_options = {{SOL_SOCKET, SO_KEEPALIVE, bytes_of(1), true},
                           {IPPROTO_TCP, TCP_KEEPIDLE, bytes_of(77), false}};
  const int fd = open_socket(config.addresses[0], config).take();
  sockaddr_storage to;
  const socklen_t length = bound_address(fd).to_sockaddr(to);
  const int client = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(connect(client, reinterpret_cast<sockaddr*>(&to), length), 0);
  pollfd waiting{fd, POLLIN, 0};
  ASSERT_EQ(poll(&waiting, 1, 5000), 1);
  const int accepted = accept(fd, nullptr, nullptr);
  EXPECT_EQ(option_of(accepted, SOL_SOCKET, SO_KEEPALIVE), 1);
  EXPECT_EQ(option_of(accepted, IPPROTO_TCP, TCP_KEEPIDLE), 77);
  for (const int one : {accepted, client, fd}) close(one);
}

TEST(ListenerSockets, AnOptionThatTheKernelRefusesIsAnError) {
  ListenerConfig config = config_at(any_port());
  config.socket_options = {{SOL_SOCKET, 12345, bytes_of(1), true}};
  const Result<int> opened = open_socket(config.addresses[0], config);
  ASSERT_FALSE(opened.ok());
  EXPECT_NE(opened.error().message.find("cannot set the socket_options of 127.0.0.1:0"),
            std::string::npos)
      << opened.error().message;
}

TEST(ListenerSockets, EachWorkerHasItsOwnAtTheSamePort) {
  ListenerSockets opener(3, {});
  const WorkerSockets sockets = opener.open(config_at(any_port())).take();
  ASSERT_EQ(sockets.size(), 3u);
  EXPECT_EQ(distinct_sockets(all_of(sockets)).size(), 3u);
  for (int fd : all_of(sockets)) EXPECT_EQ(bound_address(fd), bound_address(sockets[0][0]));
  close_sockets(sockets);
}

TEST(ListenerSockets, NoQueueOfAnEarlierProcessIsLeftOut) {
  const std::vector<int> before = open_before(5);
  ListenerSockets opener(2, giving(before));
  const WorkerSockets sockets = opener.open(config_at(bound_address(before[0]))).take();
  EXPECT_EQ(sockets[0], (std::vector<int>{before[0], before[2], before[4]}));
  EXPECT_EQ(sockets[1], (std::vector<int>{before[1], before[3]}));
  close_sockets(sockets);
}

TEST(ListenerSockets, FurtherOnesListenOnlyWhenThisProcessServes) {
  const std::vector<int> before = open_before(1);
  ListenerSockets opener(2, giving(before));
  opener.hold_back();
  const WorkerSockets sockets = opener.open(config_at(bound_address(before[0]))).take();
  EXPECT_EQ(sockets[0], before);
  ASSERT_EQ(sockets[1].size(), 1u);
  EXPECT_EQ(distinct_sockets(all_of(sockets)).size(), 2u);
  EXPECT_FALSE(listens(sockets[1][0]));
  ASSERT_TRUE(opener.listen_all());
  EXPECT_TRUE(listens(sockets[1][0]));
  close_sockets(sockets);
}

TEST(ListenerSockets, WhatIsPreparedListensWhenItIsAskedTo) {
  ListenerSockets opener(2, {});
  const WorkerSockets first = opener.prepare(config_at(any_port())).take();
  const WorkerSockets second = opener.prepare(config_at(any_port())).take();
  const WorkerSockets meanwhile = opener.open(config_at(any_port())).take();
  for (const WorkerSockets& sockets : {first, second})
    for (int fd : all_of(sockets)) EXPECT_FALSE(listens(fd));
  for (int fd : all_of(meanwhile)) EXPECT_TRUE(listens(fd));
  ASSERT_TRUE(opener.listen_at(first));
  for (int fd : all_of(first)) EXPECT_TRUE(listens(fd));
  for (int fd : all_of(second)) EXPECT_FALSE(listens(fd));
  // What is taken over from it waits as it did.
  const ListenerConfig same = config_at(bound_address(second[0][0]));
  const WorkerSockets copies = opener.prepare(same, giving(copies_of(all_of(second)))).take();
  EXPECT_FALSE(listens(copies[0][0]));
  opener.drop(second);
  ASSERT_TRUE(opener.listen_at(copies));
  for (int fd : all_of(copies)) EXPECT_TRUE(listens(fd));
  for (const WorkerSockets& sockets : {first, copies, meanwhile}) close_sockets(sockets);
}

TEST(ListenerSockets, WhatIsPreparedWaitsForAProcessThatHoldsBack) {
  ListenerSockets opener(1, {});
  opener.hold_back();
  const WorkerSockets sockets = opener.prepare(config_at(any_port())).take();
  ASSERT_TRUE(opener.listen_at(sockets));
  EXPECT_FALSE(listens(sockets[0][0]));
  ASSERT_TRUE(opener.listen_all());
  EXPECT_TRUE(listens(sockets[0][0]));
  close_sockets(sockets);
}

TEST(ListenerSockets, WhereTheAddressIsNotSharedAllHaveCopies) {
  const std::vector<int> before = open_before(1, false);
  ListenerSockets opener(3, giving(before));
  const WorkerSockets sockets = opener.open(config_at(bound_address(before[0]))).take();
  EXPECT_EQ(all_of(sockets).size(), 3u);
  EXPECT_EQ(distinct_sockets(all_of(sockets)).size(), 1u);
  close_sockets(sockets);
}

TEST(ListenerSockets, EachWorkerTakesOverASocketOfAnotherListener) {
  const std::vector<int> before = open_before(2);
  ListenerSockets opener(2, {});
  const WorkerSockets sockets =
      opener.open(config_at(bound_address(before[0])), giving(copies_of(before))).take();
  EXPECT_EQ(all_of(sockets).size(), 2u);
  std::vector<int> both = before;
  for (int fd : all_of(sockets)) both.push_back(fd);
  EXPECT_EQ(distinct_sockets(both), before);
  close_sockets(sockets);
  for (int fd : before) close(fd);
}

TEST(ListenerSockets, NothingStaysOpenAfterAnError) {
  const std::vector<int> taken = open_before(1, false);
  ListenerConfig config = config_at(any_port());
  config.addresses.push_back(bound_address(taken[0]));
  const int next = dup(taken[0]);
  close(next);
  ListenerSockets opener(2, {});
  const Result<WorkerSockets> sockets = opener.open(config);
  ASSERT_FALSE(sockets);
  EXPECT_NE(sockets.error().message.find("'front'"), std::string::npos);
  const int after = dup(taken[0]);
  EXPECT_EQ(after, next) << "a descriptor is left open";
  close(after);
  close(taken[0]);
}

}  // namespace
}  // namespace weir
