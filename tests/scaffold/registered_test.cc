// The registry that the scaffold changed.
#include <gtest/gtest.h>

#include <algorithm>

#include "filters/registry.h"

namespace weir::filters {
namespace {

constexpr std::string_view kMessage = "weir.filters.http.sample_tag.v1.SampleTag";

TEST(ChangedRegistry, HasTheNewFilterBeforeTheRouter) {
  const auto filters = http_filters();
  const auto found = std::find_if(filters.begin(), filters.end(),
                                  [](const auto& type) { return type.message == kMessage; });
  ASSERT_NE(found, filters.end());
  EXPECT_EQ(found + 2, filters.end());
}

TEST(ChangedRegistry, NamesTheNewMessage) {
  const std::string_view messages = own_messages();
  EXPECT_NE(messages.find("package weir.filters.http.sample_tag.v1\nextension SampleTag: *"),
            std::string_view::npos)
      << messages;
}

}  // namespace
}  // namespace weir::filters
