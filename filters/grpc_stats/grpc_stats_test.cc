#include "filters/grpc_stats/grpc_stats.h"

#include <gtest/gtest.h>

#include "filters/grpc_stats/method_counters.h"
#include "filters/testing/filter_driver.h"
#include "proxy/http/grpc_frame.h"

namespace weir::filters {
namespace {

const http::FilterType kType = grpc_stats();
const HeaderLines kGrpc = {{"content-type", "application/grpc"}};

std::string frames(int count) {
  std::string out;
  for (int i = 0; i < count; ++i) http::append_grpc_frame("message", out);
  return out;
}

FakeRequest call(const std::string& path, int messages) {
  return {.path = path, .headers = kGrpc, .body = {frames(messages)}, .cluster = "books"};
}
FakeResponse answer(const std::string& status, int messages) {
  return {
      .headers = kGrpc, .body = frames(messages), .trailers = HeaderLines{{"grpc-status", status}}};
}

class GrpcStatsTest : public ::testing::Test {
 protected:
  void configure(std::string_view yaml) {
    ASSERT_TRUE(driver_.configure(yaml)) << driver_.errors();
  }
  // The counters below `prefix`: "success failure total requests responses".
  std::string counters(const std::string& prefix) {
    std::string out;
    for (const char* name :
         {"success", "failure", "total", "request_message_count", "response_message_count"})
      out += (out.empty() ? "" : " ") + std::to_string(driver_.counter(prefix + name));
    return out;
  }

  FilterDriver driver_{kType};
};

TEST_F(GrpcStatsTest, AllMethodsTogether) {
  configure("{}");
  driver_.run(call("/a.B/C", 2), answer("0", 3));
  driver_.run(call("/x.Y/Z?q", 1), answer("5", 0));
  EXPECT_EQ(counters("cluster.books.grpc."), "1 1 2 3 3");
  EXPECT_EQ(driver_.counter("cluster.books.grpc.0"), 1u);
  EXPECT_EQ(driver_.counter("cluster.books.grpc.5"), 1u);
  EXPECT_EQ(counters("cluster.books.grpc.a.B.C."), "0 0 0 0 0");
}

TEST_F(GrpcStatsTest, EachMethod) {
  configure("stats_for_all_methods: true");
  driver_.run(call("/a.B/C", 2), answer("0", 3));
  driver_.run(call("/a.B/D", 1), answer("16", 0));
  driver_.run(call("/odd", 1), answer("0", 1));
  driver_.run(call("/a/b/c", 1), answer("0", 1));
  EXPECT_EQ(counters("cluster.books.grpc.a.B.C."), "1 0 1 2 3");
  EXPECT_EQ(counters("cluster.books.grpc.a.B.D."), "0 1 1 1 0");
  EXPECT_EQ(counters("cluster.books.grpc."), "0 0 0 0 0");
}

TEST_F(GrpcStatsTest, DotsOfServicesAreReplaced) {
  configure("stats_for_all_methods: true\nreplace_dots_in_grpc_service_name: true");
  driver_.run(call("/a.B/C", 1), answer("0", 1));
  EXPECT_EQ(counters("cluster.books.grpc.a_B.C."), "1 0 1 1 1");
}

TEST_F(GrpcStatsTest, ListedMethods) {
  configure("individual_method_stats_allowlist: {services: [{name: a.B, method_names: [C]}]}");
  driver_.run(call("/a.B/C", 1), answer("0", 1));
  driver_.run(call("/a.B/D", 2), answer("0", 2));
  EXPECT_EQ(counters("cluster.books.grpc.a.B.C."), "1 0 1 1 1");
  EXPECT_EQ(counters("cluster.books.grpc."), "1 0 1 2 2");
}

TEST_F(GrpcStatsTest, TrailersOnlyAndCallsWithoutAStatus) {
  configure("{}");
  driver_.run(call("/a.B/C", 1),
              {.headers = {{"content-type", "application/grpc"}, {"grpc-status", "7"}}});
  EXPECT_EQ(counters("cluster.books.grpc."), "0 1 1 1 0");
  driver_.run(call("/a.B/C", 1), {.status = 503});
  EXPECT_EQ(counters("cluster.books.grpc."), "0 1 1 2 0");
}

// As it is behind grpc_http1_bridge.
TEST_F(GrpcStatsTest, AStatusBeforeTheBody) {
  configure("{}");
  HeaderLines head = kGrpc;
  head.emplace_back("grpc-status", "0");
  driver_.run(call("/a.B/C", 1), {.headers = head, .body = frames(2)});
  EXPECT_EQ(counters("cluster.books.grpc."), "1 0 1 1 2");
}

TEST_F(GrpcStatsTest, NamesAreThoseOfTheClustersOtherStatistics) {
  configure("stats_for_all_methods: true");
  FakeRequest request = call("/a:B/C", 1);
  request.cluster = "books:80";
  driver_.run(request, answer("0", 1));
  EXPECT_EQ(counters("cluster.books_80.grpc.a_B.C."), "1 0 1 1 1");
  request.cluster_alias = "shop";
  driver_.run(request, answer("0", 1));
  EXPECT_EQ(counters("cluster.shop.grpc.a_B.C."), "1 0 1 1 1");
}

TEST_F(GrpcStatsTest, PagesAreNoMessages) {
  configure("{}");
  const std::string page(300, '\0');  // sixty messages of no bytes, were it gRPC
  driver_.run(call("/a.B/C", 1),
              {.status = 503, .headers = {{"content-type", "text/html"}}, .body = page});
  driver_.run(call("/a.B/C", 1), {.headers = {{"content-type", "text/html"}}, .body = page});
  driver_.run(call("/a.B/C", 1), {.status = 503, .headers = kGrpc, .body = page});
  EXPECT_EQ(counters("cluster.books.grpc."), "0 0 0 3 0");
}

TEST_F(GrpcStatsTest, OtherRequestsAreNotCounted) {
  configure("{}");
  FakeRequest request = call("/a.B/C", 1);
  request.headers = {{"content-type", "application/json"}};
  driver_.run(request, answer("0", 1));
  // Nor is what no cluster was chosen for.
  request = call("/a.B/C", 1);
  request.cluster = "";
  driver_.run(request, answer("12", 1));
  EXPECT_EQ(counters("cluster.books.grpc."), "0 0 0 0 0");
}

TEST_F(GrpcStatsTest, FilterStateIsRefused) {
  EXPECT_FALSE(driver_.configure("emit_filter_state: true"));
  EXPECT_EQ(driver_.errors(), "emit_filter_state: filter state is not supported\n");
}

TEST(CounterTable, IsBounded) {
  stats::Registry registry;
  CounterTable table(registry, 1, true);
  const MethodCounters& first = table.find(0, "c", "s.first");
  EXPECT_EQ(&table.find(0, "c", "s.first"), &first);
  for (size_t i = 0; i < CounterTable::kMaxNames; ++i)
    table.find(0, "c", "s.m" + std::to_string(i));
  EXPECT_EQ(&table.find(0, "c", "s.more"), &table.find(0, "c", ""));
  EXPECT_EQ(&table.find(0, "c", "s.first"), &first);
}

}  // namespace
}  // namespace weir::filters
