// Which hellos are read, and what is no hello.
#include "proxy/net/client_hello.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::net {
namespace {

using State = ClientHello::State;
using Strings = std::vector<std::string>;

std::string number(size_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i) & 0xff);
  return out;
}

std::string vector(const std::string& bytes, int length_bytes) {
  return number(bytes.size(), length_bytes) + bytes;
}

std::string extension(uint16_t type, const std::string& bytes) {
  return number(type, 2) + vector(bytes, 2);
}

std::string host_name(const std::string& name) {
  return number(0, 1) + vector(name, 2);
}

std::string server_name(const std::string& name) {
  return extension(0, vector(host_name(name), 2));
}

std::string alpn(const Strings& names) {
  std::string list;
  for (const std::string& name : names) list += vector(name, 1);
  return extension(16, vector(list, 2));
}

std::string body(const std::string& extensions) {
  return "\x03\x03" + std::string(32, 'r') + vector(std::string(32, 's'), 1) +
         vector("\x13\x01\x13\x02", 2) + vector(std::string(1, '\0'), 1) + vector(extensions, 2);
}

std::string message(const std::string& body) {
  return "\x01" + vector(body, 3);
}

std::string record(const std::string& payload) {
  return "\x16\x03\x01" + vector(payload, 2);
}

std::string hello(const std::string& extensions) {
  return record(message(body(extensions)));
}

// The same message in records of `bytes` each.
std::string in_records(const std::string& whole, size_t bytes) {
  std::string out;
  for (size_t at = 0; at < whole.size(); at += bytes) out += record(whole.substr(at, bytes));
  return out;
}

TEST(ClientHelloTest, ReadsNameAndProtocols) {
  const ClientHello read =
      read_client_hello(hello(server_name("WWW.Example.com") + alpn({"h2", "http/1.1"})));
  EXPECT_EQ(read.state, State::kComplete);
  EXPECT_EQ(read.server_name, "www.example.com");
  EXPECT_EQ(read.application, (Strings{"h2", "http/1.1"}));
}

TEST(ClientHelloTest, NeitherNeedsToBeThere) {
  EXPECT_EQ(read_client_hello(hello("")).state, State::kComplete);
  const ClientHello other = read_client_hello(hello(extension(0x1a1a, "") + alpn({"x"})));
  EXPECT_EQ(other.state, State::kComplete);
  EXPECT_EQ(other.server_name, "");
  EXPECT_EQ(other.application, Strings{"x"});
  std::string bare = body("");
  bare.resize(bare.size() - 2);
  EXPECT_EQ(read_client_hello(record(message(bare))).state, State::kComplete) << "TLS 1.0";
}

TEST(ClientHelloTest, WhatFollowsIsNotLookedAt) {
  const ClientHello read = read_client_hello(hello(server_name("a")) + "\x17\x03\x03 early data");
  EXPECT_EQ(read.state, State::kComplete);
  EXPECT_EQ(read.server_name, "a");
}

TEST(ClientHelloTest, EveryPrefixNeedsMore) {
  const std::string whole = message(body(server_name("example.com") + alpn({"h2"})));
  for (const std::string& bytes : {record(whole), in_records(whole, 1), in_records(whole, 50)}) {
    for (size_t n = 0; n < bytes.size(); ++n)
      ASSERT_EQ(read_client_hello(bytes.substr(0, n)).state, State::kNeedsMore) << n;
    const ClientHello read = read_client_hello(bytes);
    EXPECT_EQ(read.state, State::kComplete);
    EXPECT_EQ(read.server_name, "example.com");
    EXPECT_EQ(read.application, Strings{"h2"});
  }
}

TEST(ClientHelloTest, OtherProtocols) {
  for (const std::string bytes :
       {"GET / HTTP/1.1\r\n", "PRI * HTTP/2.0", "\x16\x02\x01", "\x15\x03\x01\x00\x02",
        "\x80\x2e\x01\x03\x01", "\x16GET", "PROXY TCP4", "\xff"})
    EXPECT_EQ(read_client_hello(bytes).state, State::kNotTls) << bytes;
  EXPECT_EQ(read_client_hello(record("\x02" + vector("ServerHello", 3))).state, State::kNotTls);
}

TEST(ClientHelloTest, BrokenHellos) {
  const auto state = [](const std::string& bytes) { return read_client_hello(bytes).state; };
  EXPECT_EQ(state("\x16\x03\x01" + number(0, 2)), State::kMalformed) << "an empty record";
  EXPECT_EQ(state("\x16\x03\x01" + number(16385, 2)), State::kMalformed) << "too long a record";
  EXPECT_EQ(state(record(message("short"))), State::kMalformed);
  EXPECT_EQ(state(record(message(body("") + "x"))), State::kMalformed) << "more than extensions";
  EXPECT_EQ(state(hello(extension(0, "x"))), State::kMalformed);
  EXPECT_EQ(state(hello(extension(0, vector("", 2)))), State::kMalformed) << "no name";
  EXPECT_EQ(state(hello(server_name(""))), State::kMalformed);
  EXPECT_EQ(state(hello(server_name("a b"))), State::kMalformed);
  EXPECT_EQ(state(hello(server_name(std::string("a\0b", 3)))), State::kMalformed);
  EXPECT_EQ(state(hello(server_name(std::string(256, 'a')))), State::kMalformed);
  EXPECT_EQ(state(hello(server_name("a") + server_name("b"))), State::kMalformed) << "two";
  EXPECT_EQ(state(hello(extension(0, vector(host_name("a") + host_name("b"), 2)))),
            State::kMalformed)
      << "two names";
  EXPECT_EQ(state(hello(alpn({""}))), State::kMalformed);
  EXPECT_EQ(state(hello(extension(16, vector("", 2)))), State::kMalformed);
  EXPECT_EQ(state(hello(alpn({"h2"}) + alpn({"h2"}))), State::kMalformed);
  EXPECT_EQ(state(hello(std::string("\x00\x10\xff", 3))), State::kMalformed);
  const std::string whole = message(body(""));
  EXPECT_EQ(state(record(whole.substr(0, 10)) + "\x17\x03\x03" + vector(whole.substr(10), 2)),
            State::kMalformed)
      << "a record of another kind within";
}

TEST(ClientHelloTest, ABrokenHelloTellsNothing) {
  const ClientHello read = read_client_hello(hello(server_name("a") + alpn({"h2", ""})));
  EXPECT_EQ(read.state, State::kMalformed);
  EXPECT_EQ(read.server_name, "");
  EXPECT_TRUE(read.application.empty());
}

TEST(ClientHelloTest, SizeIsLimited) {
  const auto padded = [](size_t total) {
    const size_t rest = total - body(extension(21, "")).size();
    return in_records(message(body(extension(21, std::string(rest, '\0')))), 16000);
  };
  EXPECT_EQ(read_client_hello(padded(kMaxClientHelloBytes)).state, State::kComplete);
  EXPECT_EQ(read_client_hello(padded(kMaxClientHelloBytes + 1)).state, State::kTooLarge);
  EXPECT_EQ(read_client_hello(record("\x01\xff\xff\xff")).state, State::kTooLarge) << "by its head";
}

}  // namespace
}  // namespace weir::net
