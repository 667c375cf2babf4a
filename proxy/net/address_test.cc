#include "proxy/net/address.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstddef>
#include <string>

namespace weir::net {
namespace {

using std::string_literals::operator""s;
using Family = Address::Family;

Address round_trip(const Address& address) {
  sockaddr_storage storage;
  const socklen_t length = address.to_sockaddr(storage);
  EXPECT_LE(length, sizeof(storage));
  return Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage), length);
}

TEST(AddressTest, Ip) {
  const Address four = Address::ip("192.0.2.7", 80).take();
  EXPECT_EQ(four.family(), Family::kIpv4);
  EXPECT_EQ(four.port(), 80);
  EXPECT_EQ(four.text(), "192.0.2.7:80");
  EXPECT_EQ(four.ip_text(), "192.0.2.7");
  const Address six = Address::ip("2001:DB8:0::0:1", 65535).take();
  EXPECT_EQ(six.family(), Family::kIpv6);
  EXPECT_EQ(six.text(), "[2001:db8::1]:65535");
  EXPECT_EQ(six.ip_text(), "2001:db8::1");
  for (const Address& address : {four, six}) EXPECT_EQ(round_trip(address), address);
}

TEST(AddressTest, NamesAndNoiseAreNotAddresses) {
  for (const std::string& text :
       {"localhost"s, ""s, "1.2.3"s, "1.2.3.4.5"s, "256.1.1.1"s, "01.2.3.4"s, "1.2.3.4 "s,
        "::1%lo"s, "[::1]"s, "1.2.3.4:80"s, ":::"s, "127.0.0.1\0.example.com"s}) {
    const Result<Address> address = Address::ip(text, 1);
    EXPECT_FALSE(address.ok()) << text;
    EXPECT_NE(address.error().message.find(text), std::string::npos);
  }
}

TEST(AddressTest, Parse) {
  EXPECT_EQ(Address::parse("127.0.0.1:80").take().text(), "127.0.0.1:80");
  EXPECT_EQ(Address::parse("[::1]:443").take().text(), "[::1]:443");
  for (const char* text : {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:65536",
                           "127.0.0.1:-1", "localhost:80", "[::1]", "127.0.0.1:80 "})
    EXPECT_FALSE(Address::parse(text).ok()) << text;
}

TEST(AddressTest, UnixPaths) {
  const Address path = Address::unix_path("/run/a.sock").take();
  EXPECT_EQ(path.family(), Family::kUnix);
  EXPECT_EQ(path.text(), "/run/a.sock");
  EXPECT_EQ(path.port(), 0);
  EXPECT_FALSE(path.is_ip());
  EXPECT_EQ(round_trip(path), path);
  const Address abstract = Address::unix_path("@name").take();
  EXPECT_EQ(round_trip(abstract), abstract);
  EXPECT_EQ(round_trip(abstract).text(), "@name");
  const Address longest = Address::unix_path(std::string(107, 'x')).take();
  EXPECT_EQ(round_trip(longest), longest);
  EXPECT_LT(longest.text().size(), Address::kMaxTextBytes);
  EXPECT_FALSE(Address::unix_path(std::string(108, 'x')).ok());
  EXPECT_FALSE(Address::unix_path("").ok());
}

TEST(AddressTest, AnUnnamedUnixPeer) {
  sockaddr_un un{};
  un.sun_family = AF_UNIX;
  const Address address =
      Address::from_sockaddr(reinterpret_cast<sockaddr*>(&un), offsetof(sockaddr_un, sun_path));
  EXPECT_EQ(address.family(), Family::kUnix);
  EXPECT_EQ(address.text(), "");
}

TEST(AddressTest, MappedIpv4IsIpv4) {
  const Address mapped = Address::ip("::ffff:192.0.2.1", 80).take();
  EXPECT_EQ(round_trip(mapped), Address::ip("192.0.2.1", 80).take());
}

TEST(AddressTest, Kinds) {
  EXPECT_TRUE(Address::ip("0.0.0.0", 1).take().is_any());
  EXPECT_TRUE(Address::ip("::", 1).take().is_any());
  EXPECT_FALSE(Address::ip("0.0.0.1", 1).take().is_any());
  EXPECT_FALSE(Address().is_any());
  for (const char* ip : {"127.0.0.1", "127.9.9.9", "::1"})
    EXPECT_TRUE(Address::ip(ip, 1).take().is_loopback()) << ip;
  for (const char* ip : {"128.0.0.1", "10.0.0.1", "::2", "::"})
    EXPECT_FALSE(Address::ip(ip, 1).take().is_loopback()) << ip;
  EXPECT_TRUE(Address::unix_path("/a").take().is_loopback());
}

TEST(AddressTest, EqualityAndHash) {
  const Address a = Address::ip("192.0.2.1", 80).take();
  EXPECT_EQ(a, Address::ip("192.0.2.1", 80).take());
  EXPECT_EQ(a.hash(), Address::ip("192.0.2.1", 80).take().hash());
  EXPECT_FALSE(a == a.with_port(81));
  EXPECT_EQ(a.with_port(81).text(), "192.0.2.1:81");
  EXPECT_FALSE(a == Address::ip("192.0.2.2", 80).take());
  EXPECT_FALSE(a == Address::unix_path("192.0.2.1").take());
  EXPECT_EQ(Address::unix_path("/a").take(), Address::unix_path("/a").take());
  EXPECT_EQ(Address::unix_path("/a").take().hash(), Address::unix_path("/a").take().hash());
  EXPECT_EQ(Address(), Address());
  EXPECT_EQ(Address().text(), "");
}

TEST(AddressTest, DestinationBeyond) {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_storage storage;
  const socklen_t length = Address::ip("127.0.0.1", 0).take().to_sockaddr(storage);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&storage), length), 0);
  socklen_t size = sizeof(storage);
  ASSERT_EQ(getsockname(listener, reinterpret_cast<sockaddr*>(&storage), &size), 0);
  const Address own = Address::from_sockaddr(reinterpret_cast<sockaddr*>(&storage), size);
  EXPECT_EQ(destination_beyond(listener, own), Address()) << "it was headed here";
  const Address told = Address::ip("192.0.2.1", 443).take();
  EXPECT_EQ(destination_beyond(listener, told), told);
  close(listener);
  EXPECT_EQ(destination_beyond(listener, told), Address()) << "no socket";
}

}  // namespace
}  // namespace weir::net
