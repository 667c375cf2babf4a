#include "proxy/http/route_table.h"

#include "proxy/http/route_fixture.h"

namespace weir::http {
namespace {

class RouteTableTest : public RouteFixture {
 protected:
  // Routes to a cluster, named in order, one match each.
  void use(std::initializer_list<std::pair<std::string, std::string>> routes, int padding = 0) {
    std::string text;
    for (const auto& [name, match] : routes)
      text += "routes { name: '" + name + "' match { " + match + " } route { cluster: 'c' } } ";
    // Behind the others, so that the host has enough routes for its index.
    for (int i = 0; i < padding; ++i)
      text += "routes { name: 'padding' match { path: '/padding" + std::to_string(i) +
              "' } route { cluster: 'c' } } ";
    ASSERT_TRUE(compile_routes(text)) << errors();
  }
};

TEST_F(RouteTableTest, ChoosesTheVirtualHostByDomain) {
  const auto host = [](const std::string& name, const std::string& domains) {
    return "virtual_hosts { name: '" + name + "' " + domains + " routes { name: '" + name +
           "' match { prefix: '/' } route { cluster: 'c' } } } ";
  };
  const std::string hosts = host("exact", "domains: 'a.com' domains: 'b.com'") +
                            host("suffix", "domains: '*.a.com'") + host("prefix", "domains: 'a.*'");
  ASSERT_TRUE(compile(hosts));
  EXPECT_EQ(route_for("A.com", "/"), "exact");
  EXPECT_EQ(route_for("b.com", "/"), "exact");
  EXPECT_EQ(route_for("x.a.com", "/"), "suffix");
  EXPECT_EQ(route_for("a.org", "/"), "prefix");
  EXPECT_EQ(route_for("b.com:80", "/"), "none");
  EXPECT_EQ(route_for("other", "/"), "none");
  EXPECT_EQ(route_for("", "/"), "none");

  ASSERT_TRUE(
      compile("ignore_port_in_host_matching: true " + hosts + host("v6", "domains: '[::1]'")));
  EXPECT_EQ(route_for("b.com:80", "/"), "exact");
  EXPECT_EQ(route_for("x.a.com:80", "/"), "suffix");
  EXPECT_EQ(route_for("[::1]:80", "/"), "v6");
}

// Every kind of match, with few routes and with so many that there is an index.
TEST_F(RouteTableTest, TakesTheFirstRouteThatMatches) {
  for (const int padding : {0, 50}) {
    use({{"exact", "path: '/a/b'"},
         {"regex", "safe_regex { regex: '/a/[0-9]+' }"},
         {"separated", "path_separated_prefix: '/sep'"},
         {"folded", "path: '/Fold' case_sensitive { value: false }"},
         {"folded-prefix", "prefix: '/Folder/' case_sensitive { value: false }"},
         {"a", "prefix: '/a'"},
         {"shadowed", "path: '/a/c'"}},
        padding);
    EXPECT_EQ(route_for("h", "/a/b"), "exact");
    EXPECT_EQ(route_for("h", "/a/b?q"), "exact");
    EXPECT_EQ(route_for("h", "/a/b/"), "a");
    EXPECT_EQ(route_for("h", "/a/12?x"), "regex");
    EXPECT_EQ(route_for("h", "/a/12x"), "a");
    EXPECT_EQ(route_for("h", "/a/c"), "a");
    EXPECT_EQ(route_for("h", "/sep"), "separated");
    EXPECT_EQ(route_for("h", "/sep/x"), "separated");
    EXPECT_EQ(route_for("h", "/sep?x"), "separated");
    EXPECT_EQ(route_for("h", "/separate"), "none");
    EXPECT_EQ(route_for("h", "/FOLD"), "folded");
    EXPECT_EQ(route_for("h", "/fOLDer/X"), "folded-prefix");
    EXPECT_EQ(route_for("h", "/A/b"), "none");
    EXPECT_EQ(route_for("h", "/"), "none");
    EXPECT_EQ(route_for("h", "*"), "none");
  }
}

TEST_F(RouteTableTest, KeepsTheConfiguredOrderAmongLiteralAndOtherRoutes) {
  for (const int padding : {0, 50}) {
    use({{"late-regex", "safe_regex { regex: '/x/.*' } headers { name: 'never' }"},
         {"with-header", "prefix: '/x' headers { name: 'h' }"},
         {"regex", "safe_regex { regex: '/x/y.*' }"},
         {"longest", "prefix: '/x/y/z'"},
         {"any", "prefix: '/'"}},
        padding);
    EXPECT_EQ(route_for("h", "/x/y/z"), "regex");
    EXPECT_EQ(route_for("h", "/x/y/z", {{"h", "1"}}), "with-header");
    EXPECT_EQ(route_for("h", "/x/q"), "any");
    EXPECT_EQ(route_for("h", "/x/y/z", {{"never", ""}}), "late-regex");
  }
}

TEST_F(RouteTableTest, JudgesConditions) {
  use({{"grpc", "prefix: '/' grpc {}"},
       {"query", "prefix: '/' query_parameters { name: 'q' string_match { exact: '1' } }"},
       {"headers", "prefix: '/' headers { name: 'a' } headers { name: 'b' invert_match: true }"},
       {"any", "prefix: '/'"}});
  EXPECT_EQ(route_for("h", "/", {{"content-type", "application/grpc"}}), "grpc");
  EXPECT_EQ(route_for("h", "/", {{"content-type", "application/grpc+proto"}}), "grpc");
  EXPECT_EQ(route_for("h", "/", {{"content-type", "application/grpc-web"}}), "any");
  EXPECT_EQ(route_for("h", "/?q=1"), "query");
  EXPECT_EQ(route_for("h", "/?q=2"), "any");
  EXPECT_EQ(route_for("h", "/", {{"a", ""}}), "headers");
  EXPECT_EQ(route_for("h", "/", {{"a", ""}, {"b", ""}}), "any");
}

TEST_F(RouteTableTest, SplitsByFraction) {
  use({{"some",
        "prefix: '/' runtime_fraction { default_value { numerator: 25 } runtime_key: 'k' }"},
       {"rest", "prefix: '/'"}});
  const TestRequest request("h", "/");
  int some = 0;
  for (uint64_t random = 0; random < 1000; ++random)
    some += table->find({.request = request.head, .random = random})->name == "some" ? 1 : 0;
  EXPECT_EQ(some, 250);
  std::optional<double> percent = 100;
  const auto runtime = [&](std::string_view key) { return key == "k" ? percent : std::nullopt; };
  EXPECT_EQ(table->find({.request = request.head, .random = 99, .runtime = runtime})->name, "some");
  percent = std::nullopt;
  EXPECT_EQ(table->find({.request = request.head, .random = 99, .runtime = runtime})->name, "rest");

  use({{"some",
        "prefix: '/' runtime_fraction { default_value { numerator: 1 denominator: MILLION "
        "} runtime_key: 'k' }"},
       {"rest", "prefix: '/'"}});
  const auto share_of_a_million = [&](uint64_t first_that_fails) {
    const RouteTable::Query holds{request.head, first_that_fails - 1, false, runtime};
    const RouteTable::Query fails{request.head, first_that_fails, false, runtime};
    return table->find(holds)->name == "some" && table->find(fails)->name == "rest";
  };
  EXPECT_TRUE(share_of_a_million(1));
  percent = 50;
  EXPECT_TRUE(share_of_a_million(500'000)) << "a percentage, whatever the denominator";
  percent = 0.25;
  EXPECT_TRUE(share_of_a_million(2'500));
  EXPECT_EQ(table->find({.request = request.head, .random = 1'000'000})->name, "some");
  EXPECT_EQ(table->find({.request = request.head, .random = 100})->name, "rest");
}

TEST_F(RouteTableTest, RoutesConnect) {
  for (const int padding : {0, 50}) {
    use({{"connect", "connect_matcher {}"}, {"any", "prefix: ''"}}, padding);
    EXPECT_EQ(route_for("h", "/"), "any");
    TestRequest connect("h:443", "");
    connect.head.method = Method::kConnect;
    EXPECT_EQ(find(connect.head)->name, "connect");
    use({{"any", "prefix: ''"}, {"regex", "safe_regex { regex: '.*' }"}}, padding);
    EXPECT_EQ(find(connect.head), nullptr);
  }
}

TEST_F(RouteTableTest, MatchesPathTemplates) {
  const auto path_template = [](const std::string& text) {
    return "path_match_policy { name: 't' typed_config { "
           "[type.googleapis.com/envoy.extensions.path.match.uri_template.v3"
           ".UriTemplateMatchConfig] { path_template: '" +
           text + "' } } }";
  };
  use({{"one", path_template("/v/{id}/x")},
       {"file", path_template("/m/*/*.m4s")},
       {"deep", path_template("/d/{a=x/*}/**")}});
  EXPECT_EQ(route_for("h", "/v/12/x?q"), "one");
  EXPECT_EQ(route_for("h", "/v/12/y/x"), "none");
  EXPECT_EQ(route_for("h", "/m/1/hls.m4s"), "file");
  EXPECT_EQ(route_for("h", "/m/1/2/hls.m4s"), "none");
  EXPECT_EQ(route_for("h", "/d/x/1/a/b/c"), "deep");
  EXPECT_EQ(route_for("h", "/d/x/1/"), "deep");
  EXPECT_EQ(route_for("h", "/d/y/1/"), "none");
}

TEST_F(RouteTableTest, IgnoresPathParametersWhenAsked) {
  const std::string host =
      "virtual_hosts { name: 'h' domains: '*' routes { name: 'r' match { path: '/a' } route { "
      "cluster: 'c' } } }";
  ASSERT_TRUE(compile(host));
  EXPECT_EQ(route_for("h", "/a;p=1"), "none");
  ASSERT_TRUE(compile("ignore_path_parameters_in_path_matching: true " + host));
  EXPECT_EQ(route_for("h", "/a;p=1?q=2"), "r");
}

TEST_F(RouteTableTest, SendsPlainRequestsToHttpsWhereTheHostRequiresIt) {
  const std::string rest = " routes { name: 'r' match { path: '/' } route { cluster: 'c' } } }";
  ASSERT_TRUE(compile("virtual_hosts { name: 'h' domains: '*' require_tls: ALL" + rest));
  for (const char* path : {"/", "/unknown"}) {
    TestRequest plain("a.com:80", path);
    plain.head.scheme = "http";
    const Route* route = find(plain.head);
    ASSERT_NE(route, nullptr);
    const auto& redirect = std::get<RedirectAction>(route->action);
    EXPECT_EQ(redirect.status, 301);
    EXPECT_EQ(redirect_location(*route, redirect, plain.head), std::string("https://a.com") + path);
    EXPECT_EQ(route->host->name, "h");
  }
  EXPECT_EQ(route_for("a.com", "/", {{"x-forwarded-proto", "https"}}), "r");
  const TestRequest request("a.com", "/");
  EXPECT_EQ(table->find({.request = request.head, .tls = true})->name, "r");
  // A proxy in front got it in the clear, and came to us over TLS.
  TestRequest relayed("a.com", "/");
  relayed.head.headers.add("x-forwarded-proto", "http");
  EXPECT_EQ(table->find({.request = relayed.head, .tls = true})->name, "");

  ASSERT_TRUE(compile("virtual_hosts { name: 'h' domains: '*' require_tls: EXTERNAL_ONLY" + rest));
  EXPECT_EQ(route_for("a.com", "/", {{"x-envoy-internal", "true"}}), "r");
  EXPECT_EQ(route_for("a.com", "/"), "");
}

}  // namespace
}  // namespace weir::http
