#pragma once

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "config/diagnostic.h"
#include "envoy/config/route/v3/route.pb.h"
#include "proxy/http/route_table.h"

namespace weir::http {

// A request of a test with its memory.
struct TestRequest {
  using Headers = std::initializer_list<std::pair<std::string_view, std::string_view>>;

  TestRequest(std::string_view host, std::string_view path, Headers headers = {}) : head(arena) {
    head.method = Method::kGet;
    head.method_text = "GET";
    head.scheme = "http";
    head.authority = arena.copy(host);
    head.path = arena.copy(path);
    for (const auto& [name, value] : headers) head.headers.add(arena.copy(name), arena.copy(value));
  }

  Arena arena;
  RequestHead head;
};

// Compiles route configurations written in protobuf's text format and looks routes up in them.
class RouteFixture : public ::testing::Test {
 protected:
  static envoy::config::route::v3::RouteConfiguration parse(const std::string& text) {
    envoy::config::route::v3::RouteConfiguration config;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &config)) << text;
    return config;
  }

  // Whether it compiled; `table` or `diagnostics` is what came of it.
  bool compile(const envoy::config::route::v3::RouteConfiguration& config) {
    diagnostics = {};
    const config::FieldPath root = config::FieldPath::root("rc");
    table = RouteTable::compile(config, root, {diagnostics, compile_filter, has_cluster});
    EXPECT_EQ(table == nullptr, diagnostics.has_errors());
    return table != nullptr;
  }
  bool compile(const std::string& text) { return compile(parse(text)); }
  // One virtual host for all domains.
  bool compile_routes(const std::string& routes) {
    return compile("virtual_hosts { name: 'all' domains: '*' " + routes + "}");
  }

  const Route* find(const RequestHead& request) const { return table->find({request}); }
  // The name of the route found, or "none".
  std::string route_for(std::string_view host, std::string_view path,
                        TestRequest::Headers headers = {}) const {
    const TestRequest request(host, path, headers);
    const Route* route = find(request.head);
    return route == nullptr ? "none" : route->name;
  }

  // "path: code" of each error, one a line.
  std::string errors() const {
    std::string text;
    for (const config::Diagnostic& item : diagnostics.items())
      if (item.severity == config::Severity::kError)
        text += item.field_path + ": " + std::string(config::code_name(item.code)) + "\n";
    return text;
  }

  config::Diagnostics diagnostics;
  std::unique_ptr<const RouteTable> table;
  decltype(RouteBuild::compile_filter) compile_filter;
  decltype(RouteBuild::has_cluster) has_cluster;
};

}  // namespace weir::http
