// Large tables answer right, and a look-up takes nothing from the heap.
#include <cstdlib>
#include <new>

#include "proxy/http/route_fixture.h"

namespace {

size_t heap_allocations = 0;

void* counted(size_t bytes) {
  ++heap_allocations;
  if (void* memory = std::malloc(bytes)) return memory;
  std::abort();
}

}  // namespace

void* operator new(size_t bytes) {
  return counted(bytes);
}
void* operator new[](size_t bytes) {
  return counted(bytes);
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete[](void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, size_t) noexcept {
  std::free(memory);
}
void operator delete[](void* memory, size_t) noexcept {
  std::free(memory);
}

namespace weir::http {
namespace {

constexpr int kCount = 10'000;

class RouteScaleTest : public RouteFixture {
 protected:
  static void add_route(envoy::config::route::v3::VirtualHost& host, const std::string& prefix) {
    auto* route = host.add_routes();
    route->set_name(prefix);
    route->mutable_match()->set_prefix(prefix);
    route->mutable_route()->set_cluster("cluster");
  }

  // The route's name, found without the heap.
  std::string find_counted(std::string_view host, std::string_view path) const {
    const TestRequest request(host, path, {{"user-agent", "test"}, {"x-a", "1"}});
    const size_t before = heap_allocations;
    const Route* route = table->find({.request = request.head});
    const size_t after = heap_allocations;
    EXPECT_EQ(after, before) << host << path;
    return route == nullptr ? "none" : route->name;
  }
};

TEST_F(RouteScaleTest, CountsAllocations) {
  const size_t before = heap_allocations;
  const auto memory = std::make_unique<char[]>(100);
  EXPECT_GT(heap_allocations, before);
}

TEST_F(RouteScaleTest, FindsEachOfManyPrefixes) {
  envoy::config::route::v3::RouteConfiguration config;
  auto* host = config.add_virtual_hosts();
  host->set_name("all");
  host->add_domains("*");
  for (int i = 0; i < kCount; ++i) add_route(*host, "/service-" + std::to_string(i) + "/");
  add_route(*host, "/service-");
  ASSERT_TRUE(compile(config)) << errors();
  for (int i = 0; i < kCount; ++i) {
    const std::string prefix = "/service-" + std::to_string(i) + "/";
    ASSERT_EQ(find_counted("a.com", prefix + "path?q=1"), prefix);
  }
  EXPECT_EQ(find_counted("a.com", "/service-77"), "/service-");
  EXPECT_EQ(find_counted("a.com", "/other"), "none");
}

TEST_F(RouteScaleTest, FindsEachOfManyHosts) {
  envoy::config::route::v3::RouteConfiguration config;
  for (int i = 0; i < kCount; ++i) {
    auto* host = config.add_virtual_hosts();
    host->set_name("host");
    const std::string name = "host-" + std::to_string(i) + ".example.com";
    host->add_domains(name);
    host->add_domains("*." + name);
    for (int r = 0; r < 10; ++r)
      add_route(*host, "/" + std::to_string(i) + "/" + std::to_string(r));
  }
  ASSERT_TRUE(compile(config)) << errors();
  for (int i = 0; i < kCount; ++i) {
    const std::string name = "Host-" + std::to_string(i) + ".Example.com";
    const std::string path = "/" + std::to_string(i) + "/" + std::to_string(i % 10);
    ASSERT_EQ(find_counted(name, path), path);
    ASSERT_EQ(find_counted("www." + name, path + "/x?y"), path);
  }
  EXPECT_EQ(find_counted("host-10000.example.com", "/"), "none");
}

TEST_F(RouteScaleTest, JudgesConditionsWithoutTheHeap) {
  ASSERT_TRUE(compile_routes(
      "routes { name: 'r' match { prefix: '/' grpc {} } route { cluster: 'c' } } "
      "routes { name: 'regex' match { safe_regex { regex: '/x[0-9]+' } headers { name: 'x-a' "
      "string_match { exact: '1' } } query_parameters { name: 'q' } } route { cluster: 'c' } }"))
      << errors();
  const TestRequest warm_up("h", "/x1?q", {{"x-a", "1"}});  // RE2 builds its automaton on first use
  ASSERT_NE(find(warm_up.head), nullptr);
  EXPECT_EQ(find_counted("h", "/x1?q"), "regex");
  EXPECT_EQ(find_counted("h", "/y1?q"), "none");
}

}  // namespace
}  // namespace weir::http
