// A connection against a plain socket, over socket pairs and loopback TCP.
#include "proxy/net/connection.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "proxy/net/testing/loop_thread.h"
#include "proxy/net/testing/raw_socket.h"

namespace weir::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Owns a connection and keeps what it tells; everything on the loop's thread.
class Peer : public Connection::Owner {
 public:
  explicit Peer(Loop& loop) : connection(loop, *this) {}

  void on_connected(int error) override { connected = error; }
  void on_readable() override {
    ++readable_calls;
    if (when_readable) return when_readable();
    read_all();
  }
  void on_full(bool is_full) override {
    full.push_back(is_full);
    if (when_full) when_full(is_full);
  }
  void on_progress() override { ++progresses; }
  void on_finished() override { ++finishes; }
  void on_write_error(int error) override { write_error = error; }

  void read_all() {
    char bytes[4096];
    for (;;) {
      const Connection::Read read = connection.read(bytes, sizeof(bytes));
      if (read.bytes > 0) text.append(bytes, static_cast<size_t>(read.bytes));
      if (read.bytes == 0) ended = true;
      if (read.bytes == -2) read_error = read.error;
      if (!read.more) return;
    }
  }

  int connected = -1;
  int readable_calls = 0;
  std::vector<bool> full;
  int progresses = 0;
  int finishes = 0;
  int write_error = 0;
  int read_error = 0;
  std::string text;
  bool ended = false;
  std::function<void()> when_readable;
  std::function<void(bool)> when_full;
  Connection connection;
};

class ConnectionTest : public testing::Test {
 protected:
  void SetUp() override {
    t_.run([&] { peer_ = std::make_unique<Peer>(t_.loop()); });
  }
  void TearDown() override {
    t_.run([&] { peer_.reset(); });
  }

  // The connection gets one end of a pair; the other is given.
  RawSocket pair(int type = SOCK_STREAM) {
    int fd = -1;
    RawSocket other = RawSocket::pair(type, fd);
    t_.run([&] { peer_->connection.adopt({fd}); });
    return other;
  }
  // The same over TCP, where Nagle's algorithm is off as in the proxy.
  RawSocket tcp_pair() {
    RawSocket listener = RawSocket::listen();
    RawSocket client = RawSocket::connect(listener.address());
    const int fd = listener.accept().release();
    fcntl(fd, F_SETFL, O_NONBLOCK);
    Connection::set_no_delay(fd);
    t_.run([&] { peer_->connection.adopt({fd}); });
    return client;
  }
  // Waits until the condition holds on the loop's thread.
  bool eventually(const std::function<bool()>& condition) {
    const auto limit = steady_clock::now() + milliseconds(RawSocket::kPatienceMs);
    while (steady_clock::now() < limit) {
      if (t_.run(condition)) return true;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return false;
  }

  LoopThread t_;
  std::unique_ptr<Peer> peer_;
};

// ---- counting ----

TEST_F(ConnectionTest, CountsWhatPassesAndNotWhatWaits) {
  std::atomic<uint64_t> received{0};
  std::atomic<uint64_t> sent{0};
  const ByteCounts counts{received, sent};
  RawSocket other = pair();
  const std::string large(8 << 20, 'x');
  t_.run([&] {
    peer_->connection.count_bytes(counts);
    peer_->connection.write_copy("small ");
    peer_->connection.write(large);
  });
  other.send("question");
  EXPECT_TRUE(eventually([&] { return received == 8; }));
  const uint64_t at_first = sent;
  EXPECT_GT(at_first, 0u);
  EXPECT_LT(at_first, large.size()) << "nobody has read it yet";
  size_t taken = 0;
  while (taken < large.size() + 6) taken += other.receive_some().size();
  EXPECT_TRUE(eventually([&] { return sent == large.size() + 6; }));
}

// ---- reading ----

TEST_F(ConnectionTest, ReadsWhatComes) {
  RawSocket other = pair();
  other.send("hello");
  EXPECT_TRUE(eventually([&] { return peer_->text == "hello"; }));
  other.send(" world");
  EXPECT_TRUE(eventually([&] { return peer_->text == "hello world"; }));
  EXPECT_FALSE(t_.run([&] { return peer_->ended; }));
}

TEST_F(ConnectionTest, EndOfFileWithData) {
  RawSocket other = pair();
  other.send("last words");
  other.close();
  EXPECT_TRUE(eventually([&] { return peer_->ended; }));
  EXPECT_EQ(peer_->text, "last words");
}

TEST_F(ConnectionTest, EndOfFileThatWasThereBefore) {
  int fd = -1;
  {
    RawSocket other = RawSocket::pair(SOCK_STREAM, fd);
    other.send("early");
  }
  t_.run([&] { peer_->connection.adopt({fd}); });
  EXPECT_TRUE(eventually([&] { return peer_->ended; }));
  EXPECT_EQ(peer_->text, "early");
}

TEST_F(ConnectionTest, HalfCloseLeavesTheOtherDirection) {
  RawSocket other = tcp_pair();
  other.shutdown();
  EXPECT_TRUE(eventually([&] { return peer_->ended; }));
  t_.run([&] { peer_->connection.write_copy("still here"); });
  EXPECT_EQ(other.receive(10), "still here");
}

TEST_F(ConnectionTest, AResetIsAnError) {
  RawSocket other = tcp_pair();
  other.reset();
  EXPECT_TRUE(eventually([&] { return peer_->read_error == ECONNRESET; }));
}

TEST_F(ConnectionTest, PausedItTellsNothing) {
  RawSocket other = pair();
  t_.run([&] { peer_->connection.pause_reading(true); });
  other.send("held");
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(t_.run([&] { return peer_->readable_calls; }), 0);
  // Not from the call that unpauses, but at the end of its turn.
  t_.run([&] {
    peer_->connection.pause_reading(false);
    EXPECT_EQ(peer_->readable_calls, 0);
  });
  EXPECT_EQ(t_.run([&] { return peer_->text; }), "held");
}

TEST_F(ConnectionTest, UnpausedWithNothingThereItStaysQuiet) {
  RawSocket other = pair();
  t_.run([&] { peer_->connection.pause_reading(true); });
  t_.run([&] { peer_->connection.pause_reading(false); });
  EXPECT_EQ(t_.run([&] { return peer_->readable_calls; }), 0);
}

TEST_F(ConnectionTest, AnOwnerThatStopsShortIsCalledAgain) {
  RawSocket other = pair();
  t_.run([&] {
    peer_->when_readable = [&] {
      char c;
      const Connection::Read read = peer_->connection.read(&c, 1);
      if (read.bytes == 1) peer_->text += c;
      peer_->connection.pause_reading(peer_->connection.reading_paused());
    };
  });
  other.send("one by one");
  EXPECT_TRUE(eventually([&] { return peer_->text == "one by one"; }));
}

TEST_F(ConnectionTest, RequestResumeCallsWithoutBytes) {
  RawSocket other = pair();
  t_.run([&] { peer_->connection.request_resume(); });
  EXPECT_EQ(t_.run([&] { return peer_->readable_calls; }), 1);
  t_.run([&] {
    peer_->connection.pause_reading(true);
    peer_->connection.request_resume();
  });
  EXPECT_EQ(t_.run([&] { return peer_->readable_calls; }), 1) << "paused";
}

// One that always wants to go on must not keep the loop from its other work.
TEST_F(ConnectionTest, EndlessResumingStarvesNobody) {
  RawSocket other = pair();
  t_.run([&] {
    peer_->when_readable = [&] { peer_->connection.request_resume(); };
    peer_->connection.request_resume();
  });
  for (int i = 0; i < 20; ++i) t_.run([] {});
  EXPECT_TRUE(eventually([&] { return peer_->readable_calls > 100; }));
  t_.run([&] { peer_->when_readable = [] {}; });
}

TEST_F(ConnectionTest, ItsOwnerMayCloseAndRetireItWhileReading) {
  RawSocket other = pair();
  t_.run([&] {
    peer_->when_readable = [&] {
      peer_->connection.close();
      t_.loop().retire(std::move(peer_));
    };
  });
  other.send("x");
  EXPECT_TRUE(eventually([&] { return peer_ == nullptr; }));
  EXPECT_EQ(other.receive_all(), "");
}

// ---- connecting ----

TEST_F(ConnectionTest, Connects) {
  RawSocket listener = RawSocket::listen();
  const Address to = listener.address();
  const Address from = Address::ip("127.0.0.2", 0).take();
  t_.run([&] {
    EXPECT_EQ(peer_->connection.connect(to, &from), 0);
    EXPECT_TRUE(peer_->connection.connecting());
    peer_->connection.write_copy("before it stands");
  });
  RawSocket accepted = listener.accept();
  EXPECT_EQ(accepted.receive(16), "before it stands");
  EXPECT_EQ(t_.run([&] { return peer_->connected; }), 0);
  t_.run([&] {
    EXPECT_EQ(peer_->connection.peer_address().text(), to.text());
    EXPECT_EQ(peer_->connection.local_address().ip_text(), "127.0.0.2");
  });
}

TEST_F(ConnectionTest, TellsOfRefusal) {
  const Address nobody = RawSocket::listen().address();
  const int error = t_.run([&] { return peer_->connection.connect(nobody, nullptr); });
  if (error == 0) {
    EXPECT_TRUE(eventually([&] { return peer_->connected == ECONNREFUSED; }));
  } else {
    EXPECT_EQ(error, ECONNREFUSED);
  }
}

TEST_F(ConnectionTest, TellsAtOnceOfWhatIsImpossible) {
  const Address path = Address::unix_path("/nonexistent/socket").take();
  const Address elsewhere = Address::ip("192.0.2.1", 0).take();
  const Address to = Address::ip("127.0.0.1", 9).take();
  t_.run([&] {
    EXPECT_EQ(peer_->connection.connect(path, nullptr), ENOENT);
    EXPECT_FALSE(peer_->connection.open());
    EXPECT_EQ(peer_->connection.connect(to, &elsewhere), EADDRNOTAVAIL);
    EXPECT_FALSE(peer_->connection.open());
  });
}

// ---- writing ----

// A record per system call: what a turn gathered goes out together.
TEST_F(ConnectionTest, OneTurnIsOneWrite) {
  RawSocket other = pair(SOCK_SEQPACKET);
  t_.run([&] {
    Connection& c = peer_->connection;
    c.write("views, ");
    c.write_copy("copies, ");
    std::memcpy(c.reserve(64), "text", 4);
    c.commit(4);
    c.write_copy(" and more");
    c.write("");
    EXPECT_EQ(c.bytes_waiting(), 28u);
  });
  EXPECT_EQ(other.receive_some(), "views, copies, text and more");
  EXPECT_TRUE(t_.run([&] { return peer_->connection.all_sent(); }));
}

TEST_F(ConnectionTest, FlushSendsAtOnce) {
  RawSocket other = pair(SOCK_SEQPACKET);
  t_.run([&] {
    std::string view = "first";
    peer_->connection.write(view);
    t_.loop().flush();
    view = "gone!";
    peer_->connection.write_copy("second");
  });
  EXPECT_EQ(other.receive_some(), "first");
  EXPECT_EQ(other.receive_some(), "second");
}

// More pieces and more text than a batch holds, in every mixture.
TEST_F(ConnectionTest, OrderSurvivesFullBatches) {
  RawSocket other = pair();
  std::vector<std::string> parts;
  std::string expected;
  for (int i = 0; i < 400; ++i) {
    const size_t size = i % 7 == 0 ? 3000u : 1u + static_cast<size_t>(i) % 50u;
    parts.push_back(std::string(size, static_cast<char>('a' + i % 26)));
    expected += parts.back();
  }
  t_.run([&] {
    Connection& c = peer_->connection;
    for (size_t i = 0; i < parts.size(); ++i) {
      if (i % 3 == 0) {
        c.write(parts[i]);
      } else if (i % 3 == 1) {
        c.write_copy(parts[i]);
      } else {
        std::memcpy(c.reserve(4096), parts[i].data(), parts[i].size());
        c.commit(parts[i].size());
      }
    }
    EXPECT_EQ(c.bytes_waiting(), expected.size());
  });
  EXPECT_EQ(other.receive(expected.size()), expected);
}

TEST_F(ConnectionTest, CopiesOfAnySize) {
  RawSocket other = pair();
  std::string expected;
  for (const size_t size : {1u, 8191u, 8192u, 8193u, 100'000u}) {
    const std::string part(size, static_cast<char>('a' + size % 26));
    expected += part;
    t_.run([&] { peer_->connection.write_copy(part); });
  }
  EXPECT_EQ(other.receive(expected.size()), expected);
}

std::string numbered(size_t bytes) {
  std::string text;
  for (size_t i = 0; text.size() < bytes; ++i) text += std::to_string(i) + ",";
  text.resize(bytes);
  return text;
}

TEST_F(ConnectionTest, BackPressure) {
  RawSocket other = pair();
  const std::string body = numbered(1 << 20);
  t_.run([&] { peer_->connection.set_limit(64 * 1024); });
  for (size_t at = 0; at < body.size(); at += 16 * 1024)
    t_.run([&] { peer_->connection.write(std::string_view(body).substr(at, 16 * 1024)); });
  t_.run([&] {
    EXPECT_EQ(peer_->full, std::vector<bool>{true}) << "told once";
    EXPECT_GT(peer_->connection.bytes_waiting(), 64u * 1024);
    EXPECT_FALSE(peer_->connection.all_sent());
  });
  EXPECT_EQ(other.receive(body.size()), body);
  EXPECT_TRUE(eventually([&] { return peer_->connection.all_sent(); }));
  EXPECT_EQ(peer_->full, (std::vector<bool>{true, false}));
  EXPECT_EQ(t_.run([&] { return t_.loop().blocks().blocks_in_use(); }), 0u);
}

TEST_F(ConnectionTest, WhatFollowsAFullSocketKeepsItsOrder) {
  RawSocket other = pair();
  const std::string body = numbered(600'000);
  t_.run([&] { peer_->connection.write(body); });
  t_.run([&] {
    Connection& c = peer_->connection;
    EXPECT_FALSE(c.all_sent());
    c.write("-view");
    c.write_copy("-copy");
    std::memcpy(c.reserve(10), "-text", 5);
    c.commit(5);
  });
  EXPECT_EQ(other.receive(body.size() + 15), body + "-view-copy-text");
}

TEST_F(ConnectionTest, ItsOwnerMayCloseItWhenFull) {
  RawSocket other = pair();
  const std::string body = numbered(1 << 20);
  t_.run([&] {
    peer_->connection.set_limit(1000);
    peer_->when_full = [&](bool) { peer_->connection.close(); };
    peer_->connection.write(body);
  });
  EXPECT_FALSE(t_.run([&] { return peer_->connection.open(); }));
  EXPECT_LT(other.receive_all().size(), body.size());
}

TEST_F(ConnectionTest, WriteErrors) {
  RawSocket other = pair();
  other.close();
  t_.run([&] { peer_->connection.write_copy("lost"); });
  EXPECT_EQ(t_.run([&] { return peer_->write_error; }), EPIPE);
  t_.run([&] {
    peer_->connection.write_copy("ignored");
    EXPECT_EQ(peer_->connection.bytes_waiting(), 0u);
  });
}

TEST_F(ConnectionTest, ClosedItTakesNothing) {
  RawSocket other = pair();
  t_.run([&] {
    peer_->connection.write("gathered");
    peer_->connection.close();
    peer_->connection.write("after");
    peer_->connection.write_copy("after");
    peer_->connection.reserve(10);
    peer_->connection.commit(0);
    peer_->connection.abort();
    EXPECT_EQ(peer_->connection.bytes_waiting(), 0u);
  });
  EXPECT_EQ(other.receive_all(), "");
}

// ---- ends ----

TEST_F(ConnectionTest, ShutdownWhenSentSendsEverythingFirst) {
  RawSocket other = pair();
  const std::string body = numbered(1 << 20);
  t_.run([&] {
    peer_->connection.write(body);
    peer_->connection.shutdown_when_sent();
  });
  EXPECT_EQ(other.receive_all(), body);
  other.send("the other direction is open");
  EXPECT_TRUE(eventually([&] { return !peer_->text.empty(); }));
}

TEST_F(ConnectionTest, ShutdownWithNothingToSend) {
  RawSocket other = pair();
  t_.run([&] { peer_->connection.shutdown_when_sent(); });
  EXPECT_EQ(other.receive_all(), "");
  EXPECT_EQ(t_.run([&] { return peer_->finishes; }), 1);
}

TEST_F(ConnectionTest, TellsWhenAllIsSentAndShutDown) {
  RawSocket other = pair();
  const std::string body = numbered(4 << 20);
  t_.run([&] {
    peer_->connection.write(body);
    peer_->connection.shutdown_when_sent();
  });
  t_.run([&] {
    EXPECT_EQ(peer_->finishes, 0);
    EXPECT_EQ(peer_->progresses, 0);
    EXPECT_GT(peer_->connection.bytes_waiting(), 0u);
  });
  EXPECT_EQ(other.receive_all(), body);
  t_.run([&] {
    EXPECT_EQ(peer_->finishes, 1);
    EXPECT_GT(peer_->progresses, 0);
    EXPECT_EQ(peer_->connection.bytes_lost(), 0u);
  });
}

TEST_F(ConnectionTest, KnowsWhatItLost) {
  RawSocket other = pair();
  const std::string body = numbered(4 << 20);
  t_.run([&] { peer_->connection.write(body); });
  t_.run([&] { peer_->connection.close(); });
  const size_t got = other.receive_all().size();
  EXPECT_EQ(got + t_.run([&] { return peer_->connection.bytes_lost(); }), body.size());
}

TEST_F(ConnectionTest, KnowsWhatItLostWhenAWriteFails) {
  RawSocket other = pair();
  other.close();
  t_.run([&] { peer_->connection.write("nobody gets it"); });
  t_.run([&] {
    EXPECT_NE(peer_->write_error, 0);
    EXPECT_EQ(peer_->connection.bytes_lost(), 14u);
  });
}

TEST_F(ConnectionTest, KnowsWhatThePeerDidNotAcknowledge) {
  RawSocket other = tcp_pair();
  const std::string body = numbered(32 << 20);
  const auto unacknowledged = [&] {
    return t_.run([&] { return peer_->connection.bytes_unacknowledged(); });
  };
  EXPECT_EQ(unacknowledged(), 0u);
  t_.run([&] { peer_->connection.write(body); });
  EXPECT_GT(unacknowledged(), 0u);
  EXPECT_EQ(other.receive(body.size()).size(), body.size());
  EXPECT_TRUE(eventually([&] { return peer_->connection.bytes_unacknowledged() == 0; }));
}

TEST_F(ConnectionTest, AbortIsSeenAsAReset) {
  RawSocket other = tcp_pair();
  t_.run([&] { peer_->connection.abort(); });
  EXPECT_EQ(other.receive_some(), "");
  EXPECT_EQ(other.last_error(), ECONNRESET);
}

// ---- partial segments ----

// Below the 200 ms for which the kernel holds back a segment that MSG_MORE left partial.
constexpr int kSoonMs = 100;

TEST_F(ConnectionTest, AHeldSegmentIsPushedAtTheEndOfTheTurn) {
  RawSocket other = tcp_pair();
  t_.run([&] {
    peer_->connection.expect_more(true);
    peer_->connection.write("partial");
    t_.loop().flush(/*more=*/true);
  });
  EXPECT_EQ(other.receive_some(kSoonMs), "partial");
}

TEST_F(ConnectionTest, AHeldSegmentOfManyPiecesIsPushedToo) {
  RawSocket other = tcp_pair();
  t_.run([&] {
    peer_->connection.expect_more(true);
    for (int i = 0; i < WriteBatch::kMaxPieces + 1; ++i) peer_->connection.write("x");
    t_.loop().flush(/*more=*/true);
  });
  EXPECT_EQ(other.receive_some(kSoonMs), std::string(WriteBatch::kMaxPieces + 1, 'x'));
}

TEST_F(ConnectionTest, SegmentsOfTwoConnectionsAreBothPushed) {
  RawSocket other = tcp_pair();
  auto first = std::move(peer_);
  t_.run([&] { peer_ = std::make_unique<Peer>(t_.loop()); });
  RawSocket another = tcp_pair();
  t_.run([&] {
    for (Peer* peer : {first.get(), peer_.get()}) {
      peer->connection.expect_more(true);
      peer->connection.write("partial");
      t_.loop().flush(/*more=*/true);
    }
  });
  EXPECT_EQ(other.receive_some(kSoonMs), "partial");
  EXPECT_EQ(another.receive_some(kSoonMs), "partial");
  t_.run([&] { first.reset(); });
}

TEST_F(ConnectionTest, AConnectionMayCloseWhileItsSegmentIsHeld) {
  RawSocket other = tcp_pair();
  t_.run([&] {
    peer_->connection.expect_more(true);
    peer_->connection.write("partial");
    t_.loop().flush(/*more=*/true);
    peer_->connection.close();
  });
  EXPECT_EQ(other.receive_all(), "partial");
}

}  // namespace
}  // namespace weir::net
