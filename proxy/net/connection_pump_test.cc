// Writes that are made when a flush asks for them, and writes that a whole turn gathers.
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "proxy/net/connection.h"
#include "proxy/net/testing/loop_thread.h"
#include "proxy/net/testing/raw_socket.h"

namespace weir::net {
namespace {

class Writer : public Connection::Owner {
 public:
  explicit Writer(Loop& loop) : connection(loop, *this) {}

  void on_readable() override {}
  void on_full(bool) override {}
  void on_write_error(int) override {}
  void on_pump() override {
    ++pumps;
    connection.write(next);
    next = {};
    if (again) {
      again = false;
      next = "again";
      connection.request_pump();
    }
  }

  Connection connection;
  std::string_view next;
  int pumps = 0;
  bool again = false;
};

class ConnectionPumpTest : public testing::Test {
 protected:
  void SetUp() override {
    int fd = -1;
    // Each write is a packet, so that writes can be counted.
    peer_ = RawSocket::pair(SOCK_SEQPACKET, fd);
    t_.run([&] {
      writer_ = std::make_unique<Writer>(t_.loop());
      Socket socket;
      socket.fd = fd;
      writer_->connection.adopt(std::move(socket));
    });
  }
  void TearDown() override {
    t_.run([&] { writer_.reset(); });
  }

  LoopThread t_;
  RawSocket peer_;
  std::unique_ptr<Writer> writer_;
};

TEST_F(ConnectionPumpTest, ThePumpComesOnceAFlush) {
  t_.run([&] {
    writer_->next = "hello";
    for (int i = 0; i < 3; ++i) writer_->connection.request_pump();
    EXPECT_EQ(writer_->pumps, 0);
    t_.loop().flush();
    EXPECT_EQ(writer_->pumps, 1);
    t_.loop().flush();
    EXPECT_EQ(writer_->pumps, 1);
  });
  EXPECT_EQ(peer_.receive_some(), "hello");
}

TEST_F(ConnectionPumpTest, APumpMayAskForAnother) {
  t_.run([&] {
    writer_->next = "first ";
    writer_->again = true;
    writer_->connection.request_pump();
    t_.loop().flush();
    EXPECT_EQ(writer_->pumps, 2);
  });
  EXPECT_EQ(peer_.receive_some(), "first ");
  EXPECT_EQ(peer_.receive_some(), "again");
}

TEST_F(ConnectionPumpTest, ATurnsFlushesAreOneWrite) {
  t_.run([&] {
    writer_->connection.gather_turns(true);
    for (const char* piece : {"a", "b", "c"}) {
      std::string text = piece;
      writer_->next = text;
      writer_->connection.request_pump();
      t_.loop().flush();
      text = "x";  // the flush ended the view's life
    }
    EXPECT_EQ(writer_->connection.bytes_waiting(), 3u);
  });
  EXPECT_EQ(peer_.receive_some(), "abc");
}

TEST_F(ConnectionPumpTest, MuchIsNotPutOff) {
  t_.run([&] {
    writer_->connection.gather_turns(true);
    writer_->connection.set_limit(1'000);
    const std::string much(1'001, 'x');
    writer_->connection.write(much);
    t_.loop().flush();
    EXPECT_EQ(writer_->connection.bytes_waiting(), 0u);
  });
  EXPECT_EQ(peer_.receive_some().size(), 1'001u);
}

TEST_F(ConnectionPumpTest, AConnectionThatGoesWhilePutOff) {
  t_.run([&] {
    writer_->connection.gather_turns(true);
    writer_->connection.write("never");
    t_.loop().flush();
    writer_.reset();
  });
  EXPECT_EQ(peer_.receive_some(), "");
}

}  // namespace
}  // namespace weir::net
