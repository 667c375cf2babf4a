// The two sides of a hot restart, each in a thread of its own, without a server.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include "proxy/hot_restart_host.h"
#include "proxy/hot_restart_parent.h"
#include "proxy/upgrade_command.h"

namespace weir::hot_restart {
namespace {

constexpr int64_t kPatienceMs = 5000;

bool eventually(const std::function<bool()>& condition) {
  for (int i = 0; i < 500; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

// A process of epoch 3 that may be replaced.
class RunningHost {
 public:
  explicit RunningHost(uid_t user = geteuid()) {
    log_.set_level(LogLevel::kOff);
    thread_ = std::thread([this, user] {
      Host::Hooks hooks;
      hooks.sockets = [this](const std::string& listener, const net::Address&) {
        return listener == "front" ? sockets : std::vector<int>();
      };
      hooks.counters = [this] { return Counters{{"a", a.load()}, {"never", 0}}; };
      hooks.take_over = [this](int64_t ms) { taken_over_ms = ms; };
      hooks.command = [] { return Command{"/somewhere", {"-c", "x.yaml"}}; };
      const Result<int> bound = bind_socket(base_id(), 3);
      host_ = std::make_unique<Host>(loop_, log_, *bound, 3, user, std::move(hooks));
      up = bound.ok() && host_->listen().ok();
      loop_.run();
      host_->finish();
      host_.reset();
    });
    EXPECT_TRUE(eventually([this] { return up.load(); }));
  }
  ~RunningHost() { end(); }
  void end() {
    if (!thread_.joinable()) return;
    loop_.stop();
    thread_.join();
  }

  // No other test's: processes of several sandboxes have the same pids.
  static uint32_t base_id() {
    static const uint32_t kId = std::random_device()();
    return kId;
  }
  Result<int> connect() { return connect_socket(base_id(), 3, kPatienceMs, geteuid()); }
  auto meet(uint32_t epoch = 4) { return Parent::meet(base_id(), epoch, kPatienceMs, geteuid()); }

  std::atomic<bool> up{false};
  std::atomic<int64_t> taken_over_ms{-1};
  std::atomic<uint64_t> a{5};
  std::vector<int> sockets;

 private:
  net::Loop loop_;
  Logger log_;
  std::unique_ptr<Host> host_;
  std::thread thread_;
};

TEST(HotRestart, HandsOverSocketsAndCounters) {
  RunningHost host;
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  host.sockets = {ends[1]};
  auto parent = host.meet();
  ASSERT_TRUE(parent) << parent.error().message;
  EXPECT_EQ((*parent)->process_id(), static_cast<uint64_t>(getpid()));
  Result<std::vector<int>> got = (*parent)->sockets("front", {});
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->empty()) << "an address that is none";
  const net::Address address = net::Address::ip("127.0.0.1", 80).take();
  got = (*parent)->sockets("other", address);
  ASSERT_TRUE(got);
  EXPECT_TRUE(got->empty());
  got = (*parent)->sockets("front", address);
  ASSERT_TRUE(got);
  ASSERT_EQ(got->size(), 1u);
  EXPECT_EQ(write(got->front(), "x", 1), 1);
  close(got->front());
  EXPECT_EQ(host.taken_over_ms, -1) << "nothing has happened yet";
  ASSERT_TRUE((*parent)->take_over(1234));
  EXPECT_EQ(host.taken_over_ms, 1234);
  uint64_t counted = 0;
  net::Loop loop;
  (*parent)->follow(loop, [&](const Counters& counters) {
    for (const auto& [name, value] : counters) {
      EXPECT_EQ(name, "a");
      counted += value;
    }
    if (counted == 5) {
      host.a = 12;  // counted while it drains; told before it ends
      std::thread([&] { host.end(); }).join();
    }
    if (counted >= 12) loop.stop();
  });
  loop.run();
  EXPECT_EQ(counted, 12u);
  close(ends[0]);
  close(ends[1]);
}

TEST(HotRestart, MoreSocketsThanOneMessageTakes) {
  RunningHost host;
  host.sockets.assign(kMaxDescriptors * 2 + 3, STDERR_FILENO);
  auto parent = host.meet();
  ASSERT_TRUE(parent);
  const Result<std::vector<int>> got =
      (*parent)->sockets("front", net::Address::ip("::1", 1).take());
  ASSERT_TRUE(got);
  EXPECT_EQ(got->size(), host.sockets.size());
  for (int fd : *got) close(fd);
}

TEST(HotRestart, ASuccessorThatGoesLeavesNoTrace) {
  RunningHost host;
  for (int i = 0; i < 5; ++i) {
    Result<std::unique_ptr<Parent>> parent = host.meet();
    ASSERT_TRUE(eventually([&] {
      if (!parent) parent = host.meet();
      return parent.ok();
    })) << parent.error().message;
    EXPECT_TRUE((*parent)->sockets("front", net::Address::ip("::1", 1).take()));
  }
  EXPECT_EQ(host.taken_over_ms, -1);
}

TEST(HotRestart, OnlyTheNextEpochMayFollow) {
  RunningHost host;
  Parent early(host.connect().take());
  for (const uint32_t epoch : {0u, 3u, 5u}) {
    Parent other(host.connect().take());
    const Result<void> greeted = other.greet(epoch);
    ASSERT_FALSE(greeted) << epoch;
    EXPECT_EQ(greeted.error().code, "refused");
    EXPECT_NE(greeted.error().message.find("epoch 4"), std::string::npos);
  }
  EXPECT_TRUE(early.greet(4));
}

TEST(HotRestart, OnlyOneMayFollow) {
  RunningHost host;
  auto first = host.meet();
  ASSERT_TRUE(first);
  EXPECT_EQ(host.meet().error().code, "refused");
  ASSERT_TRUE((*first)->take_over(1));
  EXPECT_EQ(host.meet().error().code, "no-parent") << "its name is free for nobody to misuse";
}

TEST(HotRestart, OneThatEndsBeforeItGreetsIsNobody) {
  const uint32_t base = RunningHost::base_id() + 1;
  const int listening = bind_socket(base, 3).take();
  ASSERT_EQ(listen(listening, 1), 0);
  std::thread dying([listening] {
    pollfd waiting{listening, POLLIN, 0};
    poll(&waiting, 1, kPatienceMs);
    close(accept(listening, nullptr, nullptr));
  });
  EXPECT_EQ(Parent::meet(base, 4, kPatienceMs, geteuid()).error().code, "no-parent");
  dying.join();
  close(listening);
}

TEST(HotRestart, NothingIsHadWithoutAGreeting) {
  RunningHost host;
  Parent stranger(host.connect().take());
  EXPECT_FALSE(stranger.take_over(1));
  Parent another(host.connect().take());
  EXPECT_FALSE(another.sockets("front", net::Address::ip("::1", 1).take()));
  EXPECT_EQ(host.taken_over_ms, -1);
}

TEST(HotRestart, AnotherUserIsTurnedAway) {
  RunningHost host(geteuid() + 1);
  const Result<int> socket = host.connect();
  ASSERT_TRUE(socket);
  Parent parent(*socket);
  const Result<void> greeted = parent.greet(4);
  ASSERT_FALSE(greeted);
  EXPECT_EQ(greeted.error().code, "closed");
}

TEST(HotRestart, GarbageEndsOnlyItsOwnConnection) {
  RunningHost host;
  for (const std::string& bytes :
       {std::string("x"), std::string(70'000, 'y'), encode(Message{.kind = Kind::kCounters}),
        encode(Message{.kind = Kind::kHello}).substr(0, 13)}) {
    const Result<int> socket = host.connect();
    ASSERT_TRUE(socket);
    ASSERT_EQ(write(*socket, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    const Result<Message> answer = receive(*socket);
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->kind, Kind::kRefused);
    EXPECT_EQ(receive(*socket).error().code, "closed");
    close(*socket);
  }
  EXPECT_TRUE(host.meet());
}

TEST(HotRestart, AnotherVersionIsToldWhy) {
  RunningHost host;
  const Result<int> socket = host.connect();
  ASSERT_TRUE(socket);
  std::string hello = encode(Message{.kind = Kind::kHello, .number = 4});
  hello[4] = 2;
  ASSERT_GT(write(*socket, hello.data(), hello.size()), 0);
  const Result<Message> answer = receive(*socket);
  ASSERT_TRUE(answer);
  ASSERT_EQ(answer->kind, Kind::kRefused);
  EXPECT_NE(answer->texts.at(0).find("version 2"), std::string::npos);
  close(*socket);
}

TEST(HotRestart, TheCommandLineIsTold) {
  RunningHost host;
  const Result<int> socket = host.connect();
  ASSERT_TRUE(socket);
  ASSERT_TRUE(send(*socket, Message{.kind = Kind::kGetCommand}));
  const Result<Message> answer = receive(*socket);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->number, 3u);
  EXPECT_EQ(answer->texts,
            (std::vector<std::string>{std::to_string(getpid()), "/somewhere", "-c", "x.yaml"}));
  EXPECT_EQ(answer->descriptors.size(), 2u);
  for (int fd : answer->descriptors) close(fd);
  close(*socket);
}

// ---- weir upgrade ----

constexpr char kTable[] =
    "Num       RefCount Protocol Flags    Type St Inode Path\n"
    "0000: 00000002 00000000 00010000 0005 01 111 @weir_domain_socket_7_0\n"
    "0000: 00000002 00000000 00010000 0005 01 112 @weir_domain_socket_7_2\n"
    "0000: 00000002 00000000 00010000 0005 01 113 @weir_domain_socket_71_9\n"
    "0000: 00000003 00000000 00000000 0005 03 114 @weir_domain_socket_7_2\n"
    "0000: 00000002 00000000 00000000 0005 01 115 @weir_domain_socket_8_0\n"
    "0000: 00000002 00000000 00010000 0001 01 116 /run/weir_domain_socket_9_0\n";

TEST(Upgrade, FindsTheNewestThatListens) {
  const Result<RunningEpoch> found = find_running(kTable, 7);
  ASSERT_TRUE(found);
  EXPECT_EQ(found->epoch, 2u);
  EXPECT_FALSE(found->under_way);
  EXPECT_FALSE(find_running(kTable, 8)) << "it does not listen yet";
  EXPECT_FALSE(find_running(kTable, 9));
  const std::string starting =
      std::string(kTable) + "0: 2 0 00000000 0005 01 117 @weir_domain_socket_7_3\n";
  EXPECT_TRUE(find_running(starting, 7)->under_way);
}

TEST(Upgrade, ReplacesItsOwnArguments) {
  const std::vector<std::string> before = {"-c",
                                           "a.yaml",
                                           "--restart-epoch",
                                           "4",
                                           "--base-id=1",
                                           "--use-dynamic-base-id",
                                           "--base-id-path",
                                           "f",
                                           "--concurrency",
                                           "2",
                                           "--ready-fd",
                                           "3"};
  EXPECT_EQ(successor_arguments(before, 9, 5, 3),
            (std::vector<std::string>{"-c", "a.yaml", "--concurrency", "2", "--base-id", "9",
                                      "--restart-epoch", "5", "--ready-fd", "3"}));
}

}  // namespace
}  // namespace weir::hot_restart
