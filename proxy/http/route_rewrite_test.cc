#include "proxy/http/route_fixture.h"

namespace weir::http {
namespace {

class RewriteTest : public RouteFixture {
 protected:
  // Compiles a single route of this match and action.
  void use(const std::string& match, const std::string& action) {
    ASSERT_TRUE(compile_routes("routes { match { " + match + " } " + action + " }")) << errors();
  }
  void use_route(const std::string& match, const std::string& action) {
    use(match, "route { cluster: 'c' " + action + " }");
  }

  void rewrite(TestRequest& request, bool keep_originals = true) const {
    const Route* route = find(request.head);
    ASSERT_NE(route, nullptr);
    apply_rewrites(*route, std::get<ForwardAction>(route->action), request.head, nullptr,
                   keep_originals);
  }
  std::string rewritten(std::string_view path) const {
    TestRequest request("a.com", path);
    rewrite(request);
    return std::string(request.head.path);
  }
  std::string location(std::string_view host, std::string_view path,
                       TestRequest::Headers headers = {}, std::string_view scheme = "http") const {
    TestRequest request(host, path, headers);
    request.head.scheme = scheme;
    const Route* route = find(request.head);
    if (route == nullptr) return "no route";
    return std::string(
        redirect_location(*route, std::get<RedirectAction>(route->action), request.head));
  }
};

TEST_F(RewriteTest, ReplacesTheMatchedPrefixAndKeepsTheQuery) {
  use_route("prefix: '/old/'", "prefix_rewrite: '/new/'");
  EXPECT_EQ(rewritten("/old/a?x=/old/"), "/new/a?x=/old/");
  use_route("prefix: '/old' case_sensitive { value: false }", "prefix_rewrite: '/'");
  EXPECT_EQ(rewritten("/OLDer"), "/er");
  EXPECT_EQ(rewritten("/old/x"), "//x");
  use_route("path_separated_prefix: '/old'", "prefix_rewrite: '/n'");
  EXPECT_EQ(rewritten("/old/x?y"), "/n/x?y");
  use_route("path: '/old'", "prefix_rewrite: '/new'");
  EXPECT_EQ(rewritten("/old?y"), "/new?y");
  use_route("safe_regex { regex: '/o.*' }", "prefix_rewrite: '/new'");
  EXPECT_EQ(rewritten("/other/x?y"), "/new?y");
}

TEST_F(RewriteTest, KeepsOriginForm) {
  use_route("prefix: '/old/'", "prefix_rewrite: 'new/'");
  EXPECT_EQ(rewritten("/old/a"), "/new/a");
}

TEST_F(RewriteTest, RewritesThePathByRegex) {
  use_route(
      "prefix: '/'",
      "regex_rewrite { pattern { regex: '^/service/([^/]+)(/.*)$' } substitution: '\\\\2/\\\\1' }");
  EXPECT_EQ(rewritten("/service/foo/v1/api?q=/service/x/y"), "/v1/api/foo?q=/service/x/y");
  EXPECT_EQ(rewritten("/other"), "/other");
  use_route("prefix: '/'", "regex_rewrite { pattern { regex: 'one' } substitution: 'two' }");
  EXPECT_EQ(rewritten("/xxx/one/yyy/one/zzz"), "/xxx/two/yyy/two/zzz");
}

TEST_F(RewriteTest, TellsTheOriginalPathAndHost) {
  use_route("prefix: '/a'", "prefix_rewrite: '/b' host_rewrite_literal: 'b.com'");
  TestRequest request("a.com:80", "/a?x");
  rewrite(request);
  EXPECT_EQ(request.head.authority, "b.com");
  EXPECT_EQ(request.head.headers.get(Known::kEnvoyOriginalPath), "/a?x");
  EXPECT_EQ(request.head.headers.get(Known::kEnvoyOriginalHost), "a.com:80");
  TestRequest silent("a.com", "/a");
  rewrite(silent, /*keep_originals=*/false);
  EXPECT_EQ(silent.head.path, "/b");
  EXPECT_EQ(silent.head.headers.count(), 0u);
}

TEST_F(RewriteTest, LeavesARequestAloneWithoutRewrites) {
  use_route("prefix: '/a'", "append_x_forwarded_host: true");
  TestRequest request("a.com", "/a");
  rewrite(request);
  EXPECT_EQ(request.head.path, "/a");
  EXPECT_EQ(request.head.authority, "a.com");
  EXPECT_EQ(request.head.headers.count(), 0u);
}

TEST_F(RewriteTest, TakesTheHostFromAHeaderOrThePath) {
  use_route("prefix: '/'", "host_rewrite_header: 'X-Host'");
  for (const auto& [value, expected] : {std::pair("b.com:1", "b.com:1"), std::pair("", "a.com"),
                                        std::pair("b.com, c.com", "a.com")}) {
    TestRequest request("a.com", "/", {{"x-host", value}});
    rewrite(request);
    EXPECT_EQ(request.head.authority, expected) << value;
  }
  use_route("prefix: '/'",
            "host_rewrite_path_regex { pattern { regex: '^/(.+)/.+$' } substitution: '\\\\1' }");
  for (const auto& [path, expected] :
       {std::pair("/b.com/x?q=/c/d", "b.com"), std::pair("/b/c/x", "a.com")}) {
    TestRequest request("a.com", path);
    rewrite(request);
    EXPECT_EQ(request.head.authority, expected) << path;
  }
}

TEST_F(RewriteTest, AppendsToForwardedHostOnce) {
  use_route("prefix: '/'", "host_rewrite_literal: 'b.com' append_x_forwarded_host: true");
  for (const auto& [before, after] :
       {std::pair("", "a.com"), std::pair("x.com", "x.com,a.com"),
        std::pair("x.com, a.com", "x.com, a.com"), std::pair("a.com,x.com", "a.com,x.com,a.com")}) {
    TestRequest request("a.com", "/");
    if (*before != '\0') request.head.headers.add("x-forwarded-host", before);
    rewrite(request);
    EXPECT_EQ(request.head.headers.get(Known::kForwardedHost), after);
  }
}

TEST_F(RewriteTest, PrefersTheWeightedClustersHost) {
  use("prefix: '/'",
      "route { host_rewrite_literal: 'b.com' weighted_clusters { clusters { name: 'x' weight { "
      "value: 1 } host_rewrite_literal: 'w.com' } } }");
  TestRequest request("a.com", "/");
  const Route* route = find(request.head);
  const auto& action = std::get<ForwardAction>(route->action);
  apply_rewrites(*route, action, request.head, &action.weighted[0]);
  EXPECT_EQ(request.head.authority, "w.com");
}

TEST_F(RewriteTest, RewritesByPathTemplate) {
  const std::string match =
      "path_match_policy { name: 't' typed_config { "
      "[type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig] { "
      "path_template: '/api/{lang}/{rest=**}' } } }";
  use_route(match,
            "path_rewrite_policy { name: 't' typed_config { "
            "[type.googleapis.com/"
            "envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig] { "
            "path_template_rewrite: '/{rest}/in/{lang}' } } }");
  EXPECT_EQ(rewritten("/api/en/a/b?x"), "/a/b/in/en?x");
}

TEST_F(RewriteTest, RedirectsWithEveryPartReplaced) {
  use("prefix: '/'", "redirect {}");
  EXPECT_EQ(location("a.com:8080", "/x?y"), "http://a.com:8080/x?y");
  use("prefix: '/'",
      "redirect { scheme_redirect: 'ftp' host_redirect: 'b.com' port_redirect: 21 "
      "path_redirect: '/new' }");
  EXPECT_EQ(location("a.com:80", "/x"), "ftp://b.com:21/new");
  use("prefix: '/'", "redirect { port_redirect: 8443 }");
  EXPECT_EQ(location("a.com:80", "/x"), "http://a.com:8443/x");
  EXPECT_EQ(location("[::1]:80", "/x"), "http://[::1]:8443/x");
  EXPECT_EQ(location("[::1]", "/x"), "http://[::1]:8443/x");
}

TEST_F(RewriteTest, DropsTheDefaultPortOfTheSchemeThatIsLeft) {
  use("prefix: '/'", "redirect { https_redirect: true }");
  EXPECT_EQ(location("a.com", "/"), "https://a.com/");
  EXPECT_EQ(location("a.com:80", "/"), "https://a.com/");
  EXPECT_EQ(location("[::1]:80", "/"), "https://[::1]/");
  EXPECT_EQ(location("a.com:8080", "/"), "https://a.com:8080/");
  EXPECT_EQ(location("a.com:443", "/"), "https://a.com:443/");
  EXPECT_EQ(location("a.com:80", "/", {{"x-forwarded-proto", "https"}}), "https://a.com:80/");
  use("prefix: '/'", "redirect { scheme_redirect: 'http' }");
  EXPECT_EQ(location("a.com:443", "/", {}, "https"), "http://a.com/");
}

TEST_F(RewriteTest, KeepsOrStripsTheQueryOfARedirect) {
  use("prefix: '/'", "redirect { path_redirect: '/new' }");
  EXPECT_EQ(location("a.com", "/x?q=1"), "http://a.com/new?q=1");
  use("prefix: '/'", "redirect { path_redirect: '/new?own=1' strip_query: true }");
  EXPECT_EQ(location("a.com", "/x?q=1"), "http://a.com/new?own=1");
  use("prefix: '/'", "redirect { strip_query: true }");
  EXPECT_EQ(location("a.com", "/x?q=1"), "http://a.com/x");
  use("prefix: '/x'", "redirect { prefix_rewrite: '/y' }");
  EXPECT_EQ(location("a.com", "/x/z?q=1"), "http://a.com/y/z?q=1");
  use("prefix: '/'",
      "redirect { regex_rewrite { pattern { regex: '/(.)$' } substitution: '/\\\\1\\\\1' } }");
  EXPECT_EQ(location("a.com", "/x?q=1"), "http://a.com/xx?q=1");
}

TEST_F(RewriteTest, ChangesHeadersInTheOrderOfTheLevels) {
  const auto add = [](const std::string& value) {
    return "request_headers_to_add { header { key: 'l' value: '" + value +
           "' } append_action: OVERWRITE_IF_EXISTS_OR_ADD } response_headers_to_add { header { "
           "key: 'l' value: '" +
           value + "' } } ";
  };
  for (const bool specific_wins : {false, true}) {
    const std::string flag = specific_wins ? "most_specific_header_mutations_wins: true " : "";
    ASSERT_TRUE(compile(flag + add("table") + "virtual_hosts { name: 'h' domains: '*' " +
                        add("host") + "routes { match { prefix: '/' } " + add("route") +
                        "route { weighted_clusters { clusters { name: 'c' weight { value: 1 } " +
                        add("cluster") + "} } } } }"))
        << errors();
    TestRequest request("a.com", "/");
    const Route* route = find(request.head);
    const WeightedCluster* picked = std::get<ForwardAction>(route->action).weighted.data();
    change_request_headers(*route, picked, request.head, {});
    EXPECT_EQ(request.head.headers.get("l"), specific_wins ? "cluster" : "table");
    HeaderMap response(request.arena);
    change_response_headers(*route, picked, response, {});
    bool present = false;
    EXPECT_EQ(response.joined("l", present),
              specific_wins ? "table, host, route, cluster" : "cluster, route, host, table");
    HeaderMap without_pick(request.arena);
    change_response_headers(*route, nullptr, without_pick, {});
    EXPECT_EQ(without_pick.count(), 3u);
  }
}

}  // namespace
}  // namespace weir::http
