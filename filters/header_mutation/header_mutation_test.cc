#include "filters/header_mutation/header_mutation.h"

#include <gtest/gtest.h>

#include "filters/testing/filter_driver.h"

namespace weir::filters {
namespace {

const http::FilterType kType = header_mutation();

Outcome run(std::string_view yaml, const FakeRequest& request, const FakeResponse& response = {}) {
  FilterDriver driver(kType);
  EXPECT_TRUE(driver.configure(yaml)) << driver.errors();
  return driver.run(request, response);
}

TEST(HeaderMutation, ChangesRequestAndResponseInOrder) {
  const Outcome out = run(R"(
mutations:
  request_mutations:
  - remove: X-Old
  - append: {header: {key: x-old, value: "new %REQ(X-USER)%"}}
  - append: {header: {key: x-user, value: b}}
  - append: {header: {key: x-kept, value: z}, append_action: ADD_IF_ABSENT}
  response_mutations:
  - append: {header: {key: x-code, value: "%RESPONSE_CODE%"}}
  - remove: server
)",
                          {.headers = {{"x-old", "1"}, {"x-user", "a"}, {"x-kept", "k"}}},
                          {.status = 201, .headers = {{"server", "s"}}});
  EXPECT_EQ(out.request_headers,
            (HeaderLines{{"x-user", "a"}, {"x-kept", "k"}, {"x-old", "new a"}, {"x-user", "b"}}));
  EXPECT_FALSE(value_of(out.response_headers, "server"));
  EXPECT_TRUE(value_of(out.response_headers, "x-code"));
}

TEST(HeaderMutation, ChangesTrailers) {
  const Outcome out = run(R"(
mutations:
  request_trailers_mutations: [{append: {header: {key: x-a, value: "1"}}}]
  response_trailers_mutations: [{remove: x-b}]
)",
                          {.body = {"x"}, .trailers = HeaderLines{{"x-t", "t"}}},
                          {.body = "y", .trailers = HeaderLines{{"x-b", "b"}, {"x-c", "c"}}});
  EXPECT_EQ(out.request_trailers, (HeaderLines{{"x-t", "t"}, {"x-a", "1"}}));
  EXPECT_EQ(out.response_trailers, (HeaderLines{{"x-c", "c"}}));
}

std::string path_after(const std::string& mutation, const std::string& path) {
  return run("mutations: {query_parameter_mutations: [" + mutation + "]}",
             {.path = path, .headers = {{"x-v", "a b&c"}}})
      .path;
}

TEST(HeaderMutation, ChangesQueryParameters) {
  // "bmV3" is base64 of "new": the value is a bytes field.
  const std::string entry = "entry: {key: k, value: bmV3}";
  EXPECT_EQ(path_after("{append: {" + entry + "}}", "/p?k=1&x=2"), "/p?k=1&x=2&k=new");
  EXPECT_EQ(path_after("{append: {" + entry + "}}", "/p"), "/p?k=new");
  EXPECT_EQ(path_after("{append: {" + entry + ", action: ADD_IF_ABSENT}}", "/p?k"), "/p?k");
  EXPECT_EQ(path_after("{append: {" + entry + ", action: ADD_IF_ABSENT}}", "/p?kk=1"),
            "/p?kk=1&k=new");
  EXPECT_EQ(path_after("{append: {" + entry + ", action: OVERWRITE_IF_EXISTS_OR_ADD}}",
                       "/p?a=1&%6b=1&b=2&k=3"),
            "/p?a=1&k=new&b=2");
  EXPECT_EQ(path_after("{append: {" + entry + ", action: OVERWRITE_IF_EXISTS}}", "/p?a=1"),
            "/p?a=1");
  EXPECT_EQ(path_after("{remove: k}", "/p?k=1&a=%20x&k"), "/p?a=%20x");
  EXPECT_EQ(path_after("{remove: k}", "/p?k=1"), "/p");
}

TEST(HeaderMutation, EncodesWhatAQueryMustNotHold) {
  // base64 of "%REQ(X-V)%"
  EXPECT_EQ(path_after("{append: {entry: {key: \"a=\", value: JVJFUShYLVYpJQ==}}}", "/"),
            "/?a%3D=a%20b%26c");
}

// Envoy's default: from the route to the table, so that the table's word is the last.
TEST(HeaderMutation, AppliesEveryLevel) {
  for (const bool most_specific : {false, true}) {
    FilterDriver driver(kType);
    const auto level = [](const std::string& value) {
      return "mutations: {request_mutations: [{append: {header: {key: x, value: " + value +
             "}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}}, {append: {header: {key: x-all, "
             "value: " +
             value + "}}}]}";
    };
    ASSERT_TRUE(driver.configure(level("own") + "\nmost_specific_header_mutations_wins: " +
                                 (most_specific ? "true" : "false")))
        << driver.errors();
    for (const char* name : {"table", "host", "route"})
      ASSERT_TRUE(driver.configure_route(level(name))) << driver.errors();
    const Outcome out = driver.run({});
    EXPECT_EQ(value_of(out.request_headers, "x"), most_specific ? "route" : "table");
    EXPECT_EQ(value_of(out.request_headers, "x-all"), "own");
  }
}

TEST(HeaderMutation, NamesWhatIsWrongWithAConfig) {
  const struct {
    const char* yaml;
    const char* error;
  } cases[] = {
      {"mutations: {request_mutations: [{append: {header: {key: x, value: '%NOPE%'}}}]}",
       "mutations.request_mutations[0].append"},
      {"mutations: {response_mutations: [{remove: 'a b'}]}", "mutations.response_mutations[0]"},
      {"mutations: {query_parameter_mutations: [{}]}",
       "mutations.query_parameter_mutations[0]: set one of"},
      {"mutations: {request_mutations: [{}]}", "mutations.request_mutations[0]"},
  };
  for (const auto& c : cases) {
    FilterDriver driver(kType);
    EXPECT_FALSE(driver.configure(c.yaml)) << c.yaml;
    EXPECT_NE(driver.errors().find(c.error), std::string::npos) << driver.errors();
  }
}

}  // namespace
}  // namespace weir::filters
