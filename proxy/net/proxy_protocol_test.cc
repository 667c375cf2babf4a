// The PROXY protocol's two headers, read and written.
#include "proxy/net/proxy_protocol.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::net {
namespace {

using State = ProxyHeader::State;

const std::string kSignature("\r\n\r\n\0\r\nQUIT\n", 12);

Address at(const std::string& text) {
  return Address::parse(text).take();
}

std::string bytes(std::initializer_list<int> values) {
  std::string out;
  for (const int value : values) out += static_cast<char>(value);
  return out;
}

std::string v2(int command, int family, const std::string& payload) {
  const int length = static_cast<int>(payload.size());
  return kSignature + bytes({command, family, length >> 8, length & 0xff}) + payload;
}

const std::string kTcp4 = bytes({192, 0, 2, 1, 10, 0, 0, 1, 0x30, 0x39, 0x01, 0xbb});

std::string tlv(int type, const std::string& value) {
  const int length = static_cast<int>(value.size());
  return bytes({type, length >> 8, length & 0xff}) + value;
}

// A header whose last TLV is its own checksum.
std::string with_checksum(const std::string& payload) {
  std::string header = v2(0x21, 0x11, payload + tlv(kProxyTlvChecksum, bytes({0, 0, 0, 0})));
  const uint32_t crc = crc32c(header);
  for (int i = 0; i < 4; ++i)
    header[header.size() - 4 + i] = static_cast<char>(crc >> (24 - 8 * i) & 0xff);
  return header;
}

TEST(ProxyV1Test, ReadsBothFamilies) {
  const std::string line = "PROXY TCP4 192.0.2.1 10.0.0.1 12345 443\r\n";
  const ProxyHeader four = read_proxy_protocol(line + "GET / HTTP/1.1\r\n");
  EXPECT_EQ(four.state, State::kComplete);
  EXPECT_EQ(four.version, 1);
  EXPECT_EQ(four.bytes, line.size());
  EXPECT_FALSE(four.local);
  EXPECT_EQ(four.source, at("192.0.2.1:12345"));
  EXPECT_EQ(four.destination, at("10.0.0.1:443"));
  const ProxyHeader six = read_proxy_protocol("PROXY TCP6 2001:db8::1 ::1 0 65535\r\n");
  EXPECT_EQ(six.state, State::kComplete);
  EXPECT_EQ(six.source, at("[2001:db8::1]:0"));
  EXPECT_EQ(six.destination, at("[::1]:65535"));
}

TEST(ProxyV1Test, UnknownSaysNothing) {
  for (const std::string line : {"PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff::1 whatever 1 2 3\r\n"}) {
    const ProxyHeader header = read_proxy_protocol(line);
    EXPECT_EQ(header.state, State::kComplete);
    EXPECT_TRUE(header.local);
    EXPECT_EQ(header.bytes, line.size());
    EXPECT_EQ(header.source.family(), Address::Family::kNone);
  }
}

TEST(ProxyV1Test, Refuses) {
  for (const std::string line : {"PROXY \r\n",
                                 "PROXY TCP4\r\n",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
                                 "PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 +1 2\r\n",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 1  2\r\n",
                                 "PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
                                 "PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n",
                                 "PROXY TCP4 ::1 ::1 1 2\r\n",
                                 "PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
                                 "PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
                                 "PROXY tcp4 1.2.3.4 1.2.3.4 1 2\r\n",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n",
                                 "PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\r\n",
                                 "PROXY \n"})
    EXPECT_EQ(read_proxy_protocol(line).state, State::kMalformed) << line;
}

TEST(ProxyV1Test, TheLineIsShort) {
  const std::string unknown = "PROXY UNKNOWN ";
  const std::string longest =
      unknown + std::string(kMaxProxyV1Bytes - 2 - unknown.size(), 'x') + "\r\n";
  EXPECT_EQ(read_proxy_protocol(longest).state, State::kComplete);
  EXPECT_EQ(read_proxy_protocol("PROXY UNKNOWN x" + longest.substr(unknown.size())).state,
            State::kMalformed);
  EXPECT_EQ(read_proxy_protocol(std::string("PROXY ") + std::string(200, 'x')).state,
            State::kMalformed);
}

TEST(ProxyV2Test, ReadsAddresses) {
  const std::string header = v2(0x21, 0x11, kTcp4);
  const ProxyHeader four = read_proxy_protocol(header + "GET /");
  EXPECT_EQ(four.state, State::kComplete);
  EXPECT_EQ(four.version, 2);
  EXPECT_EQ(four.bytes, header.size());
  EXPECT_EQ(four.source, at("192.0.2.1:12345"));
  EXPECT_EQ(four.destination, at("10.0.0.1:443"));
  const std::string last = std::string(15, '\0') + "\x01";
  const ProxyHeader six = read_proxy_protocol(v2(0x21, 0x21, last + last + bytes({0, 80, 1, 187})));
  EXPECT_EQ(six.state, State::kComplete);
  EXPECT_EQ(six.source, at("[::1]:80"));
  EXPECT_EQ(six.destination, at("[::1]:443"));
}

TEST(ProxyV2Test, WhoSpeaksForItself) {
  for (const std::string& header : {v2(0x20, 0x00, ""), v2(0x20, 0x11, "short"),
                                    v2(0x20, 0xff, "any"), v2(0x21, 0x00, "any")}) {
    const ProxyHeader read = read_proxy_protocol(header);
    EXPECT_EQ(read.state, State::kComplete);
    EXPECT_TRUE(read.local);
    EXPECT_EQ(read.bytes, header.size());
    EXPECT_EQ(read.source.family(), Address::Family::kNone);
  }
}

TEST(ProxyV2Test, KeepsTlvs) {
  const ProxyHeader read =
      read_proxy_protocol(v2(0x21, 0x11, kTcp4 + tlv(2, "example.com") + tlv(0xe0, "")));
  ASSERT_EQ(read.state, State::kComplete);
  ASSERT_EQ(read.tlvs.size(), 2u);
  EXPECT_EQ(read.tlvs[0].type, 2);
  EXPECT_EQ(read.tlvs[0].value, "example.com");
  EXPECT_EQ(read.tlvs[1].type, 0xe0);
  EXPECT_EQ(read.tlvs[1].value, "");
}

TEST(ProxyV2Test, Refuses) {
  for (const std::string& header :
       {v2(0x31, 0x11, kTcp4), v2(0x11, 0x11, kTcp4), v2(0x22, 0x11, kTcp4),
        v2(0x21, 0x11, kTcp4.substr(1)), v2(0x21, 0x21, kTcp4), v2(0x21, 0x12, kTcp4),
        v2(0x21, 0x31, std::string(216, 'x')), v2(0x21, 0x11, kTcp4 + "\x01"),
        v2(0x21, 0x11, kTcp4 + bytes({1, 0, 2, 3})), v2(0x21, 0x11, std::string(16 * 1024, 'x'))})
    EXPECT_EQ(read_proxy_protocol(header).state, State::kMalformed);
  EXPECT_EQ(read_proxy_protocol(kSignature + bytes({0x21, 0x11, 0xff, 0xff})).state,
            State::kMalformed)
      << "by its length alone";
}

TEST(ProxyV2Test, ChecksumIsChecked) {
  const std::string good = with_checksum(kTcp4 + tlv(1, "h2"));
  EXPECT_EQ(read_proxy_protocol(good).state, State::kComplete);
  const size_t sum_type = good.size() - 7;  // another type there is no sum at all
  for (size_t i = 16; i < good.size(); ++i) {
    if (i == sum_type) continue;
    std::string bad = good;
    bad[i] = static_cast<char>(bad[i] ^ 1);
    EXPECT_EQ(read_proxy_protocol(bad).state, State::kMalformed) << i;
  }
  EXPECT_EQ(read_proxy_protocol(v2(0x21, 0x11, kTcp4 + tlv(3, "sum"))).state, State::kMalformed);
}

TEST(ProxyProtocolTest, Crc32cOfTheStandardsCheckString) {
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c("456789", crc32c("123")), 0xe3069283u);
}

TEST(ProxyProtocolTest, EveryPrefixNeedsMore) {
  const std::string v1 = "PROXY TCP4 192.0.2.1 10.0.0.1 12345 443\r\n";
  for (const std::string& header : {v1, with_checksum(kTcp4)})
    for (size_t n = 0; n < header.size(); ++n)
      EXPECT_EQ(read_proxy_protocol(header.substr(0, n)).state, State::kNeedsMore) << n;
}

TEST(ProxyProtocolTest, AnythingElseIsNoHeader) {
  for (const std::string text : {"GET / HTTP/1.1\r\n", "PROXYING", "P ", "\r\nGET", "\x16\x03\x01",
                                 "\r\n\r\n\r\n", "proxy "})
    EXPECT_EQ(read_proxy_protocol(text).state, State::kAbsent) << text;
}

TEST(ProxyProtocolTest, WhatIsWrittenIsRead) {
  const ProxyTlv tlvs[] = {{2, "example.com"}, {kProxyTlvChecksum, "gone"}, {0xe0, "x"}};
  for (const auto& [from, to] : {std::pair(at("192.0.2.1:1"), at("10.0.0.1:65535")),
                                 std::pair(at("[2001:db8::1]:80"), at("[::1]:443"))}) {
    std::string one;
    write_proxy_v1(from, to, one);
    std::string two;
    write_proxy_v2(from, to, tlvs, two);
    for (const std::string& header : {one, two}) {
      const ProxyHeader read = read_proxy_protocol(header);
      EXPECT_EQ(read.state, State::kComplete);
      EXPECT_EQ(read.bytes, header.size());
      EXPECT_EQ(read.source, from);
      EXPECT_EQ(read.destination, to);
    }
    EXPECT_EQ(read_proxy_protocol(two).tlvs.size(), 2u);
  }
}

TEST(ProxyProtocolTest, WithoutAPairOfAddressesNobodyIsSpokenFor) {
  std::string one;
  write_proxy_v1(at("192.0.2.1:1"), at("[::1]:1"), one);
  EXPECT_EQ(one, "PROXY UNKNOWN\r\n");
  std::string two;
  write_proxy_v2(Address::unix_path("/a").take(), at("[::1]:1"), {}, two);
  EXPECT_EQ(two, v2(0x20, 0x00, ""));
}

TEST(ProxyIntroduction, SaysWhomAndPassesOnWhatIsWanted) {
  const Address from = Address::parse("192.0.2.1:5").take();
  const Address to = Address::parse("198.51.100.1:6").take();
  const std::vector<ProxyTlv> tlvs = {{5, "id"}, {6, "x"}};
  ProxyIntroduction how;
  std::string first;
  how.write(from, to, tlvs, first);
  EXPECT_EQ(first, "PROXY TCP4 192.0.2.1 198.51.100.1 5 6\r\n");
  how.version = 2;
  how.tlvs.types.set(6);
  std::string second;
  how.write(from, to, tlvs, second);
  const ProxyHeader read = read_proxy_protocol(second);
  EXPECT_EQ(read.source, from);
  EXPECT_EQ(read.destination, to);
  ASSERT_EQ(read.tlvs.size(), 1u);
  EXPECT_EQ(read.tlvs[0].value, "x");
}

TEST(ProxyIntroduction, OfNobody) {
  ProxyIntroduction how;
  std::string first;
  how.write({}, {}, {}, first);
  EXPECT_EQ(first, "PROXY UNKNOWN\r\n");
  how.version = 2;
  std::string second;
  how.write({}, {}, std::vector<ProxyTlv>{{5, "id"}}, second);
  EXPECT_TRUE(read_proxy_protocol(second).local);
  EXPECT_EQ(second.size(), 16u);
}

}  // namespace
}  // namespace weir::net
