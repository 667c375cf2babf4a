#include "proxy/admin/message.h"

#include <gtest/gtest.h>

#include "proxy/admin/origin.h"

namespace weir::admin {
namespace {

TEST(AdminRequestTest, SplitsAndDecodesTheTarget) {
  const AdminRequest request =
      make_admin_request("GET", "/stats?filter=a%2Eb+c&usedonly&&x=%zz&y=1=2", "h", "");
  EXPECT_EQ(request.path, "/stats");
  EXPECT_EQ(request.param("filter"), "a.b c");
  EXPECT_TRUE(request.has("usedonly"));
  EXPECT_EQ(request.param("usedonly"), "");
  EXPECT_EQ(request.param("x"), "%zz");
  EXPECT_EQ(request.param("y"), "1=2");
  EXPECT_FALSE(request.has("z"));
}

TEST(AdminRequestTest, TargetsWithoutOrWithEmptyQuery) {
  EXPECT_EQ(make_admin_request("GET", "/ready", "", "").path, "/ready");
  EXPECT_TRUE(make_admin_request("GET", "/ready?", "", "").query.empty());
  EXPECT_EQ(make_admin_request("GET", "", "", "").path, "");
  EXPECT_EQ(make_admin_request("GET", "/x?a=%", "", "").param("a"), "%");
}

bool trusted(std::string_view host, std::string_view origin = "") {
  return check_origin(make_admin_request("GET", "/", host, origin), {"admin.example.com"}).ok();
}

TEST(OriginTest, HostsThatNoForeignPageCanHave) {
  for (const char* host :
       {"127.0.0.1:9901", "10.1.2.3", "[::1]:9901", "[2001:db8::1]", "localhost:9901", "LOCALHOST",
        "gateway", "weir.mesh.svc:9901", "weir.svc.cluster.local", "node1.internal",
        "admin.example.com:9901", "Admin.Example.Com", ""})
    EXPECT_TRUE(trusted(host)) << host;
}

TEST(OriginTest, HostsThatSomebodyMayHaveRegistered) {
  for (const char* host : {"evil.example", "127.0.0.1.evil.example", "localhost.evil.example:9901",
                           "example.com", "xadmin.example.com", ":9901", "[", "127.0.0.1.nip.io"})
    EXPECT_FALSE(trusted(host)) << host;
}

TEST(OriginTest, OriginMustBeTheHostItself) {
  EXPECT_TRUE(trusted("127.0.0.1:9901", "http://127.0.0.1:9901"));
  EXPECT_TRUE(trusted("localhost:9901", "HTTPS://localhost:9901"));
  EXPECT_FALSE(trusted("127.0.0.1:9901", "http://127.0.0.1:80"));
  EXPECT_FALSE(trusted("127.0.0.1:9901", "https://evil.example"));
  EXPECT_FALSE(trusted("127.0.0.1:9901", "null"));
  EXPECT_FALSE(trusted("", "http://localhost"));
}

}  // namespace
}  // namespace weir::admin
