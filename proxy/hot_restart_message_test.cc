#include "proxy/hot_restart_message.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

namespace weir::hot_restart {
namespace {

Message example() {
  Message message;
  message.kind = Kind::kCounters;
  message.number = 0x0123456789abcdef;
  message.more = true;
  message.texts = {"", "front", std::string("\0\xff", 2)};
  message.counters = {{"http.front.downstream_rq_total", UINT64_MAX}, {"", 0}};
  return message;
}

// A pair of connected sockets.
struct Pair {
  Pair() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0); }
  ~Pair() {
    close(ends[0]);
    close(ends[1]);
  }
  void send_bytes(const std::string& bytes) {
    EXPECT_EQ(write(ends[0], bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  int ends[2];
};

std::string code_of(const Result<Message>& message) {
  return message ? "" : message.error().code;
}

TEST(Message, ComesBackAsItWas) {
  const Result<Message> back = decode(encode(example()));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->kind, Kind::kCounters);
  EXPECT_EQ(back->number, example().number);
  EXPECT_TRUE(back->more);
  EXPECT_EQ(back->texts, example().texts);
  EXPECT_EQ(back->counters, example().counters);
}

TEST(Message, CutAnywhereIsMalformed) {
  const std::string whole = encode(example());
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_EQ(code_of(decode(std::string_view(whole).substr(0, length))), "malformed") << length;
  EXPECT_EQ(code_of(decode(whole + "x")), "malformed");
}

TEST(Message, AnyByteChangedNeverDoesHarm) {
  const std::string whole = encode(example());
  for (size_t i = 0; i < whole.size(); ++i) {
    for (const int value : {0, 1, 0x7f, 0x80, 0xff}) {
      std::string bytes = whole;
      bytes[i] = static_cast<char>(value);
      const Result<Message> read = decode(bytes);
      if (read) {
        EXPECT_LE(encode(*read).size(), bytes.size());
      }
    }
  }
}

TEST(Message, CountsBeyondTheBytesAreMalformed) {
  std::string bytes = encode(Message{});
  for (size_t i = bytes.size() - 8; i < bytes.size(); ++i) bytes[i] = '\xff';
  EXPECT_EQ(code_of(decode(bytes)), "malformed");
}

TEST(Message, AnotherVersionIsNamed) {
  std::string bytes = encode(example());
  bytes[4] = 9;
  const Result<Message> read = decode(bytes);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, "version");
  EXPECT_NE(read.error().message.find("version 9"), std::string::npos) << read.error().message;
}

TEST(Message, UnknownKindsAreMalformed) {
  std::string bytes = encode(example());
  for (const char kind : {0, 11, 127}) {
    bytes[6] = kind;
    EXPECT_EQ(code_of(decode(bytes)), "malformed");
  }
}

TEST(Socket, CarriesDescriptors) {
  Pair pair;
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  Message message = example();
  message.descriptors = {pipe_ends[1]};
  ASSERT_TRUE(send(pair.ends[0], message));
  close(pipe_ends[1]);
  const Result<Message> got = receive(pair.ends[1]);
  ASSERT_TRUE(got);
  ASSERT_EQ(got->descriptors.size(), 1u);
  EXPECT_EQ(write(got->descriptors[0], "x", 1), 1);
  close(got->descriptors[0]);
  char byte;
  EXPECT_EQ(read(pipe_ends[0], &byte, 1), 1);
  EXPECT_EQ(read(pipe_ends[0], &byte, 1), 0) << "a copy is left open";
  close(pipe_ends[0]);
}

TEST(Socket, ClosesTheDescriptorsOfAMalformedMessage) {
  Pair pair;
  int pipe_ends[2];
  ASSERT_EQ(pipe(pipe_ends), 0);
  char junk[] = "junk";
  iovec part{junk, 4};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control;
  header.msg_controllen = sizeof(control);
  cmsghdr* const rights = CMSG_FIRSTHDR(&header);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  *reinterpret_cast<int*>(CMSG_DATA(rights)) = pipe_ends[1];
  ASSERT_EQ(sendmsg(pair.ends[0], &header, 0), 4);
  close(pipe_ends[1]);
  EXPECT_EQ(code_of(receive(pair.ends[1])), "malformed");
  char byte;
  EXPECT_EQ(read(pipe_ends[0], &byte, 1), 0) << "a copy is left open";
  close(pipe_ends[0]);
}

TEST(Socket, TellsNothingYetFromGoneFromTooLong) {
  Pair pair;
  EXPECT_EQ(code_of(receive(pair.ends[1])), "again");
  pair.send_bytes(std::string(kMaxMessageBytes + 1, 'x'));
  EXPECT_EQ(code_of(receive(pair.ends[1])), "malformed");
  shutdown(pair.ends[0], SHUT_WR);
  EXPECT_EQ(code_of(receive(pair.ends[1])), "closed");
}

TEST(Socket, OnlyOneProcessHasAName) {
  const auto base = static_cast<uint32_t>(getpid());
  const Result<int> first = bind_socket(base, 7);
  ASSERT_TRUE(first);
  const Result<int> second = bind_socket(base, 7);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, "taken");
  close(*first);
  const Result<int> third = bind_socket(base, 7);
  ASSERT_TRUE(third) << "a name goes with its process";
  close(*third);
}

TEST(Socket, WhoListensMustBeTheSameUser) {
  const auto base = static_cast<uint32_t>(getpid());
  const Result<int> listening = bind_socket(base, 1);
  ASSERT_TRUE(listening);
  EXPECT_EQ(connect_socket(base, 1, 100, geteuid()).error().code, "no-parent");
  ASSERT_EQ(listen(*listening, 4), 0);
  const Result<int> other = connect_socket(base, 1, 100, geteuid() + 1);
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().code, "user");
  const Result<int> same = connect_socket(base, 1, 100, geteuid());
  ASSERT_TRUE(same);
  EXPECT_EQ(code_of(receive(*same)), "again") << "the time limit holds";
  close(*same);
  close(*listening);
}

}  // namespace
}  // namespace weir::hot_restart
