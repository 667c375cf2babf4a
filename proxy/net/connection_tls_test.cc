// Two connections with TLS between them, over socket pairs; and one against bytes of the test's
// own.
#include <gtest/gtest.h>
#include <malloc.h>
#include <openssl/ssl.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "proxy/net/connection.h"
#include "proxy/net/testing/loop_thread.h"
#include "proxy/net/testing/raw_socket.h"
#include "proxy/tls/testing/certificates.h"
#include "proxy/tls/testing/sessions.h"

namespace weir::net {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using tls::testing::bare_client;
using tls::testing::bare_server;
using tls::testing::client_session;
using tls::testing::server_session;

class Peer : public Connection::Owner {
 public:
  explicit Peer(Loop& loop) : connection(loop, *this) {}

  void on_connected(int error) override {
    EXPECT_EQ(text, "") << "before the handshake is done nothing is handed over";
    connected = error;
    if (when_connected) when_connected();
  }
  void on_readable() override {
    EXPECT_GE(connected, 0);
    std::string bytes(read_bytes, '\0');
    for (;;) {
      const Connection::Read read = connection.read(bytes.data(), bytes.size());
      if (read.bytes > 0) text.append(bytes, 0, static_cast<size_t>(read.bytes));
      if (read.bytes > 0) ++reads;
      if (read.bytes == 0) ended = true;
      if (read.bytes == -2) read_error = read.error;
      if (!read.more || connection.reading_paused()) return;
    }
  }
  void on_full(bool is_full) override { full.push_back(is_full); }
  void on_write_error(int error) override { write_error = error; }

  size_t read_bytes = Loop::kReadBytes;
  int connected = -1;
  int reads = 0;
  std::vector<bool> full;
  int write_error = 0;
  int read_error = 0;
  std::string text;
  bool ended = false;
  std::function<void()> when_connected;
  Connection connection;
};

std::string numbered(size_t bytes) {
  std::string text;
  for (size_t i = 0; text.size() < bytes; ++i) text += std::to_string(i) + ",";
  text.resize(bytes);
  return text;
}

// The client's part of a handshake by hand; what it says last is still to be sent.
std::string shake_hands(TlsSession& session, RawSocket& socket,
                        const std::function<void(std::string_view)>& send) {
  std::string out;
  while (session.handshake(out) == TlsSession::Progress::kWantsMore) {
    send(out);
    out.clear();
    const std::string answer = socket.receive_some();
    if (answer.empty()) break;
    session.feed(answer);
    session.keep_unread();
  }
  EXPECT_TRUE(session.handshake_done()) << session.error_details();
  return out;
}

class ConnectionTlsTest : public testing::Test {
 protected:
  ConnectionTlsTest()
      : certificate_(tls::testing::Wanted{.common_name = "leaf"}),
        server_context_(bare_server(certificate_)),
        client_context_(bare_client()) {}

  void SetUp() override {
    t_.run([&] {
      server_ = std::make_unique<Peer>(t_.loop());
      client_ = std::make_unique<Peer>(t_.loop());
    });
  }
  void TearDown() override {
    t_.run([&] {
      server_.reset();
      client_.reset();
    });
  }

  // `then` runs before the handshake begins.
  void join(Peer& server, Peer& client, const std::function<void()>& then = {}) {
    int fds[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    t_.run([&] {
      server.connection.adopt({fds[0], server_session(*server_context_)});
      client.connection.adopt({fds[1], client_session(*client_context_, "example.com")});
      EXPECT_TRUE(server.connection.connecting());
      if (then) then();
    });
  }
  void meet() {
    join(*server_, *client_);
    ASSERT_TRUE(eventually([&] { return server_->connected == 0 && client_->connected == 0; }));
  }
  // The server's end against a plain socket.
  RawSocket raw_client() {
    int fd = -1;
    RawSocket other = RawSocket::pair(SOCK_STREAM, fd);
    t_.run([&] { server_->connection.adopt({fd, server_session(*server_context_)}); });
    return other;
  }
  bool eventually(const std::function<bool()>& condition) {
    const auto limit = steady_clock::now() + milliseconds(RawSocket::kPatienceMs);
    while (steady_clock::now() < limit) {
      if (t_.run(condition)) return true;
      std::this_thread::sleep_for(milliseconds(1));
    }
    return false;
  }

  tls::testing::Certificate certificate_;
  bssl::UniquePtr<SSL_CTX> server_context_;
  bssl::UniquePtr<SSL_CTX> client_context_;
  LoopThread t_;
  std::unique_ptr<Peer> server_;
  std::unique_ptr<Peer> client_;
};

TEST_F(ConnectionTlsTest, ShakesHandsAndTalks) {
  meet();
  t_.run([&] {
    EXPECT_FALSE(server_->connection.connecting());
    client_->connection.write("question");
    server_->connection.write_copy("answer");
  });
  EXPECT_TRUE(eventually([&] { return server_->text == "question" && client_->text == "answer"; }));
  t_.run([&] {
    TlsSession& session = *server_->connection.tls();
    EXPECT_EQ(session.sni(), "example.com");
    EXPECT_EQ(session.version(), "TLSv1.3");
    EXPECT_TRUE(session.is_server());
    EXPECT_FALSE(session.peer_has_certificate());
    const CertificateFacts* shown = client_->connection.tls()->peer_certificate();
    ASSERT_NE(shown, nullptr);
    EXPECT_EQ(shown->subject, "CN=leaf");
    EXPECT_EQ(shown->sha256, certificate_.sha256_hex());
  });
}

TEST_F(ConnectionTlsTest, BulkBothWaysAtOnce) {
  meet();
  const std::string one = numbered(1 << 20);
  const std::string other = numbered((1 << 20) + 12'345);
  t_.run([&] {
    client_->connection.write(one);
    server_->connection.write(other);
  });
  EXPECT_TRUE(eventually(
      [&] { return server_->text.size() >= one.size() && client_->text.size() >= other.size(); }));
  EXPECT_TRUE(server_->text == one);
  EXPECT_TRUE(client_->text == other);
  EXPECT_TRUE(t_.run([&] { return client_->connection.all_sent(); }));
  EXPECT_EQ(t_.run([&] { return t_.loop().blocks().blocks_in_use(); }), 0u);
}

// In every way that bytes take: in one turn, put off, before what waits, a record or a part of one.
TEST_F(ConnectionTlsTest, CountsPlaintext) {
  std::atomic<uint64_t> received{0};
  std::atomic<uint64_t> sent{0};
  std::atomic<uint64_t> none{0};
  const ByteCounts of_server{received, none};
  const ByteCounts of_client{none, sent};
  meet();
  uint64_t expected = 0;
  t_.run([&] {
    server_->connection.count_bytes(of_server);
    client_->connection.count_bytes(of_client);
    client_->connection.gather_turns(true);
    for (int i = 0; i < 300; ++i) {
      const std::string part(static_cast<size_t>(1 + i * 97 % 5000), 'x');
      expected += part.size();
      client_->connection.write_copy(part);
      if (i % 7 == 0) t_.loop().flush();
    }
  });
  const std::string large = numbered(1 << 20);
  t_.run([&] {
    client_->connection.gather_turns(false);
    client_->connection.write(large);
  });
  expected += large.size();
  EXPECT_TRUE(eventually([&] { return received == expected; }));
  EXPECT_EQ(sent, expected);
  EXPECT_EQ(none, 0u) << "a session ticket is no plaintext";
}

// Four full records come with one read of the socket.
TEST_F(ConnectionTlsTest, ReadsManyRecordsAtOnce) {
  meet();
  const std::string body = numbered(60'000);
  t_.run([&] {
    server_->reads = 0;
    client_->connection.write(body);
  });
  EXPECT_TRUE(eventually([&] { return server_->text == body; }));
  EXPECT_EQ(server_->reads, 1);
}

TEST_F(ConnectionTlsTest, NothingIsLostWhenReadInSmallBites) {
  for (const size_t bite : {1u, 7u, 1000u}) {
    SetUp();
    t_.run([&] { server_->read_bytes = bite; });
    meet();
    const std::string body = numbered(70'000);
    t_.run([&] { client_->connection.write(body); });
    EXPECT_TRUE(eventually([&] { return server_->text.size() == body.size(); })) << bite;
    EXPECT_TRUE(server_->text == body) << bite;
  }
}

TEST_F(ConnectionTlsTest, PausedItKeepsWhatItHas) {
  meet();
  t_.run([&] {
    server_->read_bytes = 10;
    server_->connection.pause_reading(true);
    client_->connection.write("more than ten bytes of text");
  });
  std::this_thread::sleep_for(milliseconds(20));
  EXPECT_EQ(t_.run([&] { return server_->text; }), "");
  t_.run([&] { server_->connection.pause_reading(false); });
  EXPECT_TRUE(eventually([&] { return server_->text == "more than ten bytes of text"; }));
}

// Small pieces of one turn leave in one record, and in one write.
TEST_F(ConnectionTlsTest, OneTurnIsOneRecord) {
  int fds[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
  auto other = client_session(*client_context_);
  t_.run([&] { server_->connection.adopt({fds[0], server_session(*server_context_)}); });
  RawSocket raw(fds[1]);
  fcntl(fds[1], F_SETFL, 0);
  std::string out = shake_hands(*other, raw, [&](std::string_view bytes) { raw.send(bytes); });
  raw.send(out);
  // Session tickets come with the first record.
  ASSERT_TRUE(eventually([&] { return server_->connected == 0; }));
  t_.run([&] { server_->connection.write("first"); });
  EXPECT_NE(raw.receive_some(), "");
  t_.run([&] {
    for (int i = 0; i < 20; ++i) server_->connection.write_copy("0123456789");
    server_->connection.write(std::string_view("view"));
  });
  const std::string packet = raw.receive_some();
  constexpr size_t kOverhead = 5 + 1 + 16;
  EXPECT_EQ(packet.size(), 204 + kOverhead) << "one record";
}

TEST_F(ConnectionTlsTest, OrderSurvivesFullBatchesAndAFullSocket) {
  meet();
  std::vector<std::string> parts;
  std::string expected;
  for (int i = 0; i < 3000; ++i) {
    parts.push_back(
        std::string(1 + static_cast<size_t>(i * 37 % 900), static_cast<char>('a' + i % 26)));
    expected += parts.back();
  }
  t_.run([&] {
    for (size_t i = 0; i < parts.size(); ++i) {
      if (i % 2 == 0) {
        client_->connection.write(parts[i]);
      } else {
        client_->connection.write_copy(parts[i]);
      }
      if (i % 500 == 0) t_.loop().flush();
    }
  });
  EXPECT_TRUE(eventually([&] { return server_->text.size() == expected.size(); }));
  EXPECT_TRUE(server_->text == expected);
}

TEST_F(ConnectionTlsTest, WhatIsPutOffIsSentInOrder) {
  meet();
  std::string expected;
  t_.run([&] {
    client_->connection.gather_turns(true);
    for (int i = 0; i < 200; ++i) {
      const std::string part = "part " + std::to_string(i) + std::string(300, '.');
      expected += part;
      client_->connection.write_copy(part);
      if (i % 7 == 0) t_.loop().flush();
    }
    EXPECT_EQ(client_->connection.bytes_waiting() > 0, true);
  });
  EXPECT_TRUE(eventually([&] { return server_->text == expected; }));
}

TEST_F(ConnectionTlsTest, BackPressure) {
  meet();
  const std::string body = numbered(4 << 20);
  t_.run([&] {
    server_->connection.pause_reading(true);
    client_->connection.set_limit(64 * 1024);
    client_->connection.write(body);
  });
  EXPECT_EQ(t_.run([&] { return client_->full; }), std::vector<bool>{true});
  t_.run([&] { server_->connection.pause_reading(false); });
  EXPECT_TRUE(eventually([&] { return server_->text.size() == body.size(); }));
  EXPECT_TRUE(server_->text == body);
  EXPECT_EQ(client_->full, (std::vector<bool>{true, false}));
}

// ---- ends ----

TEST_F(ConnectionTlsTest, CloseNotifyIsTheEnd) {
  meet();
  t_.run([&] {
    client_->connection.write("last words");
    client_->connection.shutdown_when_sent();
  });
  EXPECT_TRUE(eventually([&] { return server_->ended; }));
  EXPECT_EQ(server_->text, "last words");
  EXPECT_EQ(server_->read_error, 0);
  // The other direction stands.
  t_.run([&] { server_->connection.write("still here"); });
  EXPECT_TRUE(eventually([&] { return client_->text == "still here"; }));
}

TEST_F(ConnectionTlsTest, AnEndWithoutCloseNotifyIsATruncation) {
  meet();
  t_.run([&] {
    client_->connection.write("half a bo");
    t_.loop().flush();
    client_->connection.close();
  });
  EXPECT_TRUE(eventually([&] { return server_->read_error == ECONNRESET; }));
  EXPECT_EQ(server_->text, "half a bo");
  EXPECT_FALSE(server_->ended);
}

TEST_F(ConnectionTlsTest, PlaintextInsteadOfAHandshakeIsRefused) {
  RawSocket other = raw_client();
  other.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(eventually([&] { return server_->connected == EPROTO; }));
  EXPECT_EQ(server_->text, "");
  EXPECT_NE(server_->connection.tls()->error_details().find("HTTP_REQUEST"), std::string_view::npos)
      << server_->connection.tls()->error_details();
}

TEST_F(ConnectionTlsTest, PlaintextOfAServerIsRefused) {
  int fd = -1;
  RawSocket other = RawSocket::pair(SOCK_STREAM, fd);
  other.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
  t_.run([&] { client_->connection.adopt({fd, client_session(*client_context_)}); });
  EXPECT_TRUE(eventually([&] { return client_->connected == EPROTO; }));
  EXPECT_EQ(client_->text, "");
}

TEST_F(ConnectionTlsTest, AnEndDuringTheHandshakeIsAnError) {
  RawSocket other = raw_client();
  other.send("\x16\x03\x01");
  other.close();
  EXPECT_TRUE(eventually([&] { return server_->connected == ECONNRESET; }));
}

TEST_F(ConnectionTlsTest, ABrokenRecordIsAnErrorAndAnAlert) {
  RawSocket other = raw_client();
  auto session = client_session(*client_context_);
  std::string out =
      shake_hands(*session, other, [&](std::string_view bytes) { other.send(bytes); });
  ASSERT_TRUE(session->seal("text", out));
  out.back() = static_cast<char>(out.back() ^ 1);
  other.send(out);
  EXPECT_TRUE(eventually([&] { return server_->read_error == EPROTO; }));
  EXPECT_EQ(server_->text, "");
  EXPECT_NE(other.receive_some(), "");
}

TEST_F(ConnectionTlsTest, EverySplitOfTheBytesWorks) {
  const std::string text = "split anywhere";
  for (size_t cut = 1;; ++cut) {
    SetUp();
    RawSocket other = raw_client();
    auto session = client_session(*client_context_);
    bool split = false;
    size_t seen = 0;
    const auto send = [&](std::string_view bytes) {
      if (cut > seen && cut < seen + bytes.size()) {
        other.send(bytes.substr(0, cut - seen));
        t_.run([] {});
        bytes.remove_prefix(cut - seen);
        seen = cut;
        split = true;
      }
      other.send(bytes);
      seen += bytes.size();
    };
    std::string out = shake_hands(*session, other, send);
    ASSERT_TRUE(session->seal(text, out));
    send(out);
    ASSERT_TRUE(eventually([&] { return server_->text == text; })) << cut;
    if (!split && cut > seen) break;
    // Every boundary of the first 40 bytes, then a sample of the rest.
    if (cut > 40) cut += 6;
  }
}

TEST_F(ConnectionTlsTest, WhatIsWrittenBeforeTheHandshakeIsDropped) {
  join(*server_, *client_, [&] { client_->connection.write("too early"); });
  ASSERT_TRUE(eventually([&] { return server_->connected == 0 && client_->connected == 0; }));
  t_.run([&] { client_->connection.write("in time"); });
  EXPECT_TRUE(eventually([&] { return !server_->text.empty(); }));
  EXPECT_EQ(server_->text, "in time");
}

// ---- from one owner to the next ----

TEST_F(ConnectionTlsTest, HandedOverWithWhatWasRead) {
  auto next = std::make_unique<Peer>(t_.loop());
  next->connected = 0;
  t_.run([&] {
    server_->when_connected = [&] {
      server_->connection.pause_reading(true);
      next->connection.adopt(server_->connection.release());
    };
    client_->when_connected = [&] { client_->connection.write("with the first flight"); };
  });
  join(*server_, *client_);
  EXPECT_TRUE(eventually([&] { return next->text == "with the first flight"; }));
  t_.run([&] { next->connection.write("answer"); });
  EXPECT_TRUE(eventually([&] { return client_->text == "answer"; }));
  EXPECT_EQ(server_->text, "");
  t_.run([&] { next.reset(); });
}

TEST_F(ConnectionTlsTest, ConnectsThroughTcp) {
  RawSocket listener = RawSocket::listen();
  t_.run([&] {
    EXPECT_EQ(
        client_->connection.connect(listener.address(), nullptr, client_session(*client_context_)),
        0);
    client_->connection.send_in_clear("PROXY UNKNOWN\r\n");
  });
  RawSocket accepted = listener.accept();
  std::string first = accepted.receive(200);
  EXPECT_EQ(first.substr(0, 15), "PROXY UNKNOWN\r\n");
  const int fd = accepted.release();
  fcntl(fd, F_SETFL, O_NONBLOCK);
  // Who looked at the first bytes hands them on with the session.
  auto session = server_session(*server_context_);
  session->feed(std::string_view(first).substr(15));
  session->keep_unread();
  t_.run([&] { server_->connection.adopt({fd, std::move(session)}); });
  EXPECT_TRUE(eventually([&] { return client_->connected == 0 && server_->connected == 0; }));
}

TEST_F(ConnectionTlsTest, TellsOfARefusedConnection) {
  const Address nobody = RawSocket::listen().address();
  const int error = t_.run([&] {
    return client_->connection.connect(nobody, nullptr, client_session(*client_context_));
  });
  if (error == 0)
    EXPECT_TRUE(eventually([&] { return client_->connected == ECONNREFUSED; }));
  else
    EXPECT_EQ(error, ECONNREFUSED);
}

// ---- memory ----

TEST_F(ConnectionTlsTest, AnIdleConnectionIsSmall) {
  constexpr size_t kPairs = 200;
  constexpr size_t kMostBytes = 8 * 1024;
  std::vector<std::unique_ptr<Peer>> peers;
  meet();  // what is made once
  const size_t before = mallinfo2().uordblks;
  for (size_t i = 0; i < kPairs; ++i) {
    for (int side = 0; side < 2; ++side)
      t_.run([&] { peers.push_back(std::make_unique<Peer>(t_.loop())); });
    join(*peers[2 * i], *peers[2 * i + 1]);
  }
  ASSERT_TRUE(eventually([&] {
    for (const auto& peer : peers)
      if (peer->connected != 0) return false;
    return true;
  }));
  for (const auto& peer : peers) t_.run([&] { peer->connection.write("a request"); });
  ASSERT_TRUE(eventually([&] {
    for (const auto& peer : peers)
      if (peer->text.empty()) return false;
    return true;
  }));
  const size_t each = (mallinfo2().uordblks - before) / peers.size();
  RecordProperty("bytes_each", static_cast<int>(each));
  EXPECT_LT(each, kMostBytes);
  t_.run([&] { peers.clear(); });
}

}  // namespace
}  // namespace weir::net
