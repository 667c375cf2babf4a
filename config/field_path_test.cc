#include "config/field_path.h"

#include <gtest/gtest.h>

#include <utility>

namespace weir::config {
namespace {

TEST(FieldPath, JoinsNamesIndexesAndKeys) {
  const FieldPath root = FieldPath::root();
  const FieldPath listeners = root.field("listeners");
  const FieldPath listener = listeners.at(2);
  const FieldPath chain = listener.field("filter_chains", 0);
  EXPECT_EQ(root.str(), "");
  EXPECT_EQ(listener.str(), "listeners[2]");
  EXPECT_EQ(chain.field("name").str(), "listeners[2].filter_chains[0].name");
  EXPECT_EQ(chain.field("route.cluster").str(), "listeners[2].filter_chains[0].route.cluster");
}

TEST(FieldPath, QuotesTheKeysOfMaps) {
  const FieldPath root = FieldPath::root("cluster");
  const FieldPath options = root.field("options");
  EXPECT_EQ(options.key("envoy.lb").str(), "cluster.options[\"envoy.lb\"]");
  EXPECT_EQ(root.entry("options", "a\"b\\").str(), "cluster.options[\"a\\\"b\\\\\"]");
  EXPECT_EQ(root.entry("options", "").str(), "cluster.options[\"\"]");
}

template <class T>
concept DerivesFromTemporary = requires(T path) {
  std::move(path).field("x");
};

TEST(FieldPath, CannotBeDerivedFromATemporary) {
  EXPECT_FALSE(DerivesFromTemporary<FieldPath>);
}

}  // namespace
}  // namespace weir::config
