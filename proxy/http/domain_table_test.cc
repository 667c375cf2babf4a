#include "proxy/http/domain_table.h"

#include <gtest/gtest.h>

namespace weir::http {
namespace {

using Added = DomainTable::Added;

TEST(DomainTableTest, PrefersExactThenLongestSuffixThenLongestPrefixThenAny) {
  DomainTable table;
  const char* domains[] = {"*",     "www.foo.com", "*.foo.com", "*-bar.foo.com",
                           "*.com", "www.*",       "www.foo.*", "foo.com:8080"};
  for (uint32_t i = 0; i < std::size(domains); ++i)
    ASSERT_EQ(table.add(domains[i], i), Added::kYes) << domains[i];

  const auto domain_of = [&](std::string_view host) { return domains[*table.find(host)]; };
  EXPECT_STREQ(domain_of("www.foo.com"), "www.foo.com");
  EXPECT_STREQ(domain_of("WWW.Foo.COM"), "www.foo.com");
  EXPECT_STREQ(domain_of("api.foo.com"), "*.foo.com");
  EXPECT_STREQ(domain_of("baz-bar.foo.com"), "*-bar.foo.com");
  EXPECT_STREQ(domain_of("-bar.foo.com"), "*.foo.com");
  EXPECT_STREQ(domain_of(".foo.com"), "*.com");
  EXPECT_STREQ(domain_of("foo.com"), "*.com");
  EXPECT_STREQ(domain_of("foo.com:8080"), "foo.com:8080");
  EXPECT_STREQ(domain_of("www.foo.org"), "www.foo.*");
  EXPECT_STREQ(domain_of("www.foo."), "www.*");
  EXPECT_STREQ(domain_of("www.org"), "www.*");
  EXPECT_STREQ(domain_of("www.foo.com:80"), "www.foo.*");
  EXPECT_STREQ(domain_of("other"), "*");
  EXPECT_STREQ(domain_of(""), "*");
}

TEST(DomainTableTest, FindsNothingWithoutAMatch) {
  DomainTable table;
  EXPECT_EQ(table.find("a"), std::nullopt);
  ASSERT_EQ(table.add("a.com", 0), Added::kYes);
  ASSERT_EQ(table.add("*.b.com", 1), Added::kYes);
  EXPECT_EQ(table.find("b.com"), std::nullopt);
  EXPECT_EQ(table.find(""), std::nullopt);
  EXPECT_EQ(table.find(std::string(10'000, 'a')), std::nullopt);
}

TEST(DomainTableTest, RefusesDuplicatesWhateverTheirCase) {
  DomainTable table;
  for (const char* domain : {"a.com", "*.a.com", "a.*", "*"}) {
    EXPECT_EQ(table.add(domain, 0), Added::kYes);
    EXPECT_EQ(table.add(domain, 1), Added::kDuplicate);
  }
  EXPECT_EQ(table.add("A.Com", 1), Added::kDuplicate);
}

TEST(DomainTableTest, RefusesWhatIsNoDomain) {
  DomainTable table;
  EXPECT_EQ(table.add("", 0), Added::kEmpty);
  EXPECT_EQ(table.add(std::string(256, 'a'), 0), Added::kTooLong);
  for (const char* domain : {"a.*.com", "*.a.*", "**", "*a*"})
    EXPECT_EQ(table.add(domain, 0), Added::kStrayWildcard) << domain;
}

TEST(DomainTableTest, KeepsManyNamesApart) {
  constexpr uint32_t kCount = 20'000;
  DomainTable table;
  for (uint32_t i = 0; i < kCount; ++i) {
    const std::string name = "host-" + std::to_string(i) + ".example.com";
    ASSERT_EQ(table.add(i % 2 == 0 ? name : "*." + name, i), Added::kYes);
  }
  for (uint32_t i = 0; i < kCount; ++i) {
    const std::string name = "host-" + std::to_string(i) + ".example.com";
    ASSERT_EQ(table.find(i % 2 == 0 ? name : "x." + name), i);
    ASSERT_EQ(table.find(i % 2 == 0 ? "x." + name : name), std::nullopt);
  }
}

}  // namespace
}  // namespace weir::http
