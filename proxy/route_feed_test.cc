#include "proxy/route_feed.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <memory>

#include "envoy/config/route/v3/route.pb.h"

namespace weir {
namespace {

std::shared_ptr<const http::RouteTable> table(const std::string& name) {
  envoy::config::route::v3::RouteConfiguration config;
  config.set_name(name);
  config::Diagnostics diagnostics;
  return http::RouteTable::compile(config, config::FieldPath::root(), {.diagnostics = diagnostics});
}

TEST(RouteFeed, ATableLivesUntilItsLastRequestIsOver) {
  auto first = table("first");
  const std::weak_ptr<const http::RouteTable> watched = first;
  RouteFeed feed(1, {first});
  first.reset();
  RouteUse& one = feed.acquire(0);
  RouteUse& two = feed.acquire(0);
  EXPECT_EQ(&one, &two);
  feed.set(0, {table("second")});
  EXPECT_EQ(feed.acquire(0).table->name(), "second");
  feed.release(0, one);
  EXPECT_FALSE(watched.expired()) << "somebody still looks into it";
  EXPECT_EQ(two.table->name(), "first");
  feed.release(0, two);
  EXPECT_TRUE(watched.expired());
}

TEST(RouteFeed, AnIdleTableGoesAtOnce) {
  auto first = table("first");
  const std::weak_ptr<const http::RouteTable> watched = first;
  RouteFeed feed(1, {first});
  first.reset();
  feed.release(0, feed.acquire(0));
  EXPECT_FALSE(watched.expired()) << "it is in force";
  feed.set(0, {});
  EXPECT_TRUE(watched.expired());
  EXPECT_EQ(feed.acquire(0).table, nullptr);
}

TEST(RouteFeed, EachWorkerHasItsOwn) {
  RouteFeed feed(2, {table("first")});
  feed.set(1, {table("second")});
  EXPECT_EQ(feed.acquire(0).table->name(), "first");
  EXPECT_EQ(feed.acquire(1).table->name(), "second");
}

}  // namespace
}  // namespace weir
