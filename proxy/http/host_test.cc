#include "proxy/http/host.h"

#include <gtest/gtest.h>

#include <string>

namespace weir::http {
namespace {

TEST(HostTest, AcceptsNamesAddressesAndPorts) {
  for (const char* host :
       {"a", "example.com", "EXAMPLE.com.", "a-b_c.d", "127.0.0.1", "127.0.0.1:80", "[::1]",
        "[2001:db8::1]:443", "[::ffff:1.2.3.4]:1", "a.com:1", "a.com:65535", "a!$&'()*+;=~b"})
    EXPECT_TRUE(valid_host(host)) << host;
  EXPECT_TRUE(valid_host(std::string(255, 'a') + ":80"));
}

TEST(HostTest, RejectsWhatTwoReadersCouldTakeDifferently) {
  for (const char* host : {"",
                           ":80",
                           "a.com:",
                           "a.com:0",
                           "a.com:080",
                           "a.com:65536",
                           "a.com:99999999999",
                           "a.com:8a",
                           "a.com:-1",
                           "a.com:80:81",
                           "a.com:80 ",
                           " a.com",
                           "a b",
                           "a,b",
                           "a.com, b.com",
                           "u@a.com",
                           "a/b",
                           "a?b",
                           "a#b",
                           "a\\b",
                           "a\"b",
                           "a%2eb",
                           "a\tb",
                           "a\x7f",
                           "\xc3\xa9.com",
                           "[::1",
                           "::1",
                           "[]",
                           "[::1]80",
                           "[::1]:",
                           "[::1]]",
                           "[fe80::1%25eth0]",
                           "[v1.a]",
                           "[1.2.3.4]",
                           "[::1]x:80",
                           "x[::1]",
                           "http://a"})
    EXPECT_FALSE(valid_host(host)) << host;
  EXPECT_FALSE(valid_host(std::string_view("a\0b", 3)));
  EXPECT_FALSE(valid_host(std::string_view("[::1\0]", 6)));
  EXPECT_FALSE(valid_host(std::string(256, 'a')));
}

TEST(HostTest, TakesHostAndPortApart) {
  EXPECT_EQ(host_without_port("a.com:80"), "a.com");
  EXPECT_EQ(host_without_port("a.com"), "a.com");
  EXPECT_EQ(host_without_port("[::1]:80"), "[::1]");
  EXPECT_EQ(host_without_port("[::1]"), "[::1]");
  EXPECT_EQ(host_without_port(""), "");
  EXPECT_EQ(port_of_host("a.com:8080"), 8080);
  EXPECT_EQ(port_of_host("[::1]:443"), 443);
  EXPECT_EQ(port_of_host("[::1]"), std::nullopt);
  EXPECT_EQ(port_of_host("a.com"), std::nullopt);
}

}  // namespace
}  // namespace weir::http
