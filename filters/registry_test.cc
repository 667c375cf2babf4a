#include "filters/registry.h"

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include <set>

#include "config/support.h"

namespace weir::filters {
namespace {

bool exists(std::string_view message) {
  const auto* pool = google::protobuf::DescriptorPool::generated_pool();
  return pool->FindMessageTypeByName(std::string(message)) != nullptr;
}

TEST(Registry, NamesMessagesThatExistOnce) {
  std::set<std::string_view> seen;
  for (const http::FilterType& type : http_filters()) {
    EXPECT_TRUE(seen.insert(type.message).second) << type.message;
    EXPECT_TRUE(exists(type.message)) << type.message;
    EXPECT_TRUE(type.route_message.empty() || exists(type.route_message)) << type.route_message;
    EXPECT_EQ(type.route_message.empty(), type.compile_route == nullptr) << type.message;
    EXPECT_EQ(type.compile == nullptr, type.terminal) << type.message;
  }
}

TEST(Registry, SupportsEveryMessageItNames) {
  config::Support support = config::default_support();
  support.add(own_messages());
  EXPECT_TRUE(support.problems().empty());
  config::Diagnostics diagnostics;
  const auto path = config::FieldPath::root("filter");
  for (const http::FilterType& type : http_filters()) {
    EXPECT_TRUE(support.check_extension(type.message, path, diagnostics)) << type.message;
    EXPECT_TRUE(type.route_message.empty() ||
                support.check_extension(type.route_message, path, diagnostics));
  }
}

}  // namespace
}  // namespace weir::filters
