// What an upstream gets of a request.
#include <gtest/gtest.h>

#include "bookstore.pb.h"
#include "envoy/extensions/filters/http/grpc_json_transcoder/v3/transcoder.pb.h"
#include "filters/grpc_json_transcoder/grpc_json_transcoder.h"
#include "filters/grpc_json_transcoder/testing/bookstore_set.h"
#include "filters/testing/filter_driver.h"
#include "proxy/http/grpc_frame.h"

namespace weir::filters::transcoder {
namespace {

const http::FilterType kType = grpc_json_transcoder();

Outcome run(const FakeRequest& request, const std::string& more = "") {
  FilterDriver driver(kType);
  EXPECT_TRUE(driver.configure(bookstore_config(more))) << driver.errors();
  return driver.run(request);
}

// The messages that the upstream got, as text, each followed by '|'.
template <class Message>
std::string messages(const Outcome& out) {
  http::GrpcFrameReader reader(1 << 30);
  reader.feed(out.request_body);
  std::string text;
  std::string_view bytes;
  uint8_t flags = 0;
  while (reader.next(bytes, flags) == http::GrpcFrameReader::Step::kMessage) {
    Message message;
    EXPECT_TRUE(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    text += message.ShortDebugString() + "|";
  }
  EXPECT_TRUE(reader.at_boundary());
  return text;
}

TEST(TranscoderRequest, BecomesACallOfTheMethod) {
  const Outcome out = run({.method = "GET",
                           .path = "/shelves/7?x",
                           .headers = {{"x-mine", "1"}, {"grpc-accept-encoding", "gzip"}}});
  EXPECT_EQ(out.method, "POST");
  EXPECT_EQ(out.path, "/bookstore.Bookstore/GetShelf");
  EXPECT_EQ(out.request_headers, (HeaderLines{{"x-mine", "1"},
                                              {"x-envoy-original-path", "/shelves/7?x"},
                                              {"x-envoy-original-method", "GET"},
                                              {"content-type", "application/grpc"},
                                              {"te", "trailers"}}));
  EXPECT_EQ(out.request_body, std::string("\0\0\0\0\x02\x08\x07", 7));
  EXPECT_TRUE(out.request_ended);
}

struct Case {
  const char* method;
  const char* path;
  std::vector<std::string> body;
  const char* called;
  const char* message;
};

TEST(TranscoderRequest, PathsAndBodies) {
  const Case cases[] = {
      {"GET", "/shelves", {}, "ListShelves", ""},
      {"POST",
       "/shelves",
       {R"({"id":"3",)", R"("theme":"x"})"},
       "CreateShelf",
       R"(id: 3 theme: "x")"},
      {"POST", "/shelves", {}, "CreateShelf", ""},
      {"POST", "/shelves", {" \n"}, "CreateShelf", ""},
      {"POST", "/shelves/7:close", {"ignored"}, "CloseShelf", "shelf: 7"},
      {"POST",
       "/shelves/7/books",
       {R"({"name":"x"})"},
       "CreateBook",
       R"(shelf: 7 book { name: "x" })"},
      {"PUT",
       "/authors/Eco/books",
       {R"({"book":{"author":{"firstName":"U"}},"note":"n"})"},
       "CreateBook",
       R"(book { author { first_name: "U" last_name: "Eco" } } note: "n")"},
      {"PATCH", "/tags", {R"(["a","b"])"}, "CreateBook", R"(tags: "a" tags: "b")"},
      {"PATCH", "/notes", {R"("text")"}, "CreateBook", R"(note: "text")"},
      {"PATCH",
       "/tags?tags=c&shelf=1",
       {R"(["a"])"},
       "CreateBook",
       R"(shelf: 1 tags: "c" tags: "a")"},
      // What the body says goes before what the URL says.
      {"POST",
       "/shelves/7/books?book.name=u&book.id=5",
       {R"({"name":"b"})"},
       "CreateBook",
       R"(shelf: 7 book { name: "b" id: 5 })"},
  };
  for (const Case& c : cases) {
    const Outcome out = run({.method = c.method, .path = c.path, .body = c.body});
    EXPECT_EQ(out.path, std::string("/bookstore.Bookstore/") + c.called) << c.path;
    const std::string message =
        std::string(c.called) == "CreateBook"   ? messages<bookstore::CreateBookRequest>(out)
        : std::string(c.called) == "CloseShelf" ? messages<bookstore::GetShelfRequest>(out)
                                                : messages<bookstore::Shelf>(out);
    EXPECT_EQ(message, std::string(c.message) + "|") << c.path;
    EXPECT_TRUE(out.request_ended);
  }
}

TEST(TranscoderRequest, QueryParameters) {
  const struct {
    const char* query;
    const char* message;
  } cases[] = {
      {"query=a%20b+c&page_size=3", R"(query: "a b+c" page_size: 3)"},
      {"pageSize=3&pageSize=4", "page_size: 4"},
      {"like.author.first_name=U&like.author.lastName=E",
       R"(like { author { first_name: "U" last_name: "E" } })"},
      {"years=1&years=-2&genres=NOVEL&genres=2",
       "years: 1 years: -2 genres: NOVEL genres: SCIENCE_FICTION"},
      {"since=1970-01-01T00:00:01Z&atMost=5&genre=NOVEL",
       "since { seconds: 1 } genre: NOVEL at_most { value: 5 }"},
      {"like.reviewed=a.b_c,dE", R"(like { reviewed { paths: "a.b_c" paths: "d_e" } })"},
      {"like.sold_out=true&like.reading_time=1.5s&like.subtitle=x&like.reviewed=a.bC",
       R"(like { reading_time { seconds: 1 nanos: 500000000 } subtitle { value: "x" } )"
       R"(reviewed { paths: "a.b_c" } sold_out: true })"},
      {"like.printings=1970-01-01T00:00:01Z&like.printings=1970-01-01T00:00:02Z",
       "like { printings { seconds: 1 } printings { seconds: 2 } }"},
      {"", ""},
      {"flag&=x&&query=", ""},
  };
  for (const auto& c : cases)
    EXPECT_EQ(messages<bookstore::SearchRequest>(
                  run({.method = "GET", .path = std::string("/search?") + c.query})),
              std::string(c.message) + "|")
        << c.query;
  EXPECT_EQ(
      messages<bookstore::SearchRequest>(run({.method = "GET", .path = "/search?query=a+b%2B"},
                                             "query_param_unescape_plus: true")),
      "query: \"a b+\"|");
}

// What the path says has been routed and authorised by it: a query does not change it.
TEST(TranscoderRequest, ThePathGoesBeforeTheQuery) {
  EXPECT_EQ(
      messages<bookstore::GetShelfRequest>(run({.method = "GET", .path = "/shelves/7?shelf=8"})),
      "shelf: 7|");
}

TEST(TranscoderRequest, WhatIsNotForItPassesUntouched) {
  const FakeRequest cases[] = {
      {.method = "GET", .path = "/other"},
      {.method = "PUT", .path = "/shelves", .body = {"{}"}},
      {.method = "GET", .path = "/search?nope=1"},
      {.method = "GET", .path = "/search?like=1"},
      {.method = "GET", .path = "/search?labels.a=1"},
      {.path = "/shelves", .headers = {{"content-type", "application/grpc"}}, .body = {"raw"}},
      {.path = "/shelves",
       .headers = {{"content-type", "application/grpc+proto"}},
       .body = {"raw"}},
      {.path = "/bookstore.Bookstore/Unbound", .body = {"{}"}},
  };
  for (const FakeRequest& request : cases) {
    const Outcome out = run(request);
    EXPECT_EQ(out.method, request.method);
    EXPECT_EQ(out.path, request.path);
    EXPECT_EQ(out.request_headers, request.headers);
    EXPECT_EQ(out.request_body, request.body.empty() ? "" : request.body[0]);
  }
}

TEST(TranscoderRequest, UnknownQueryParameters) {
  const FakeRequest request{.method = "GET", .path = "/search?nope=1&query=x&key=2"};
  EXPECT_EQ(
      messages<bookstore::SearchRequest>(run(request, "ignore_unknown_query_parameters: true")),
      "query: \"x\"|");
  EXPECT_EQ(
      messages<bookstore::SearchRequest>(run(request, "ignored_query_parameters: [nope, key]")),
      "query: \"x\"|");
  EXPECT_EQ(run(request, "ignored_query_parameters: [nope]").path, request.path);
}

TEST(TranscoderRequest, AutoMapping) {
  const Outcome out = run({.path = "/bookstore.Bookstore/Unbound", .body = {R"({"name":"x"})"}},
                          "auto_mapping: true");
  EXPECT_EQ(messages<bookstore::Book>(out), "name: \"x\"|");
}

TEST(TranscoderRequest, CaseInsensitiveEnums) {
  const Outcome out = run({.path = "/echo?genres=novel", .body = {R"({"genre":"novel"})"}},
                          "case_insensitive_enum_parsing: true");
  EXPECT_EQ(messages<bookstore::Book>(out), "genre: NOVEL genres: NOVEL|");
}

TEST(TranscoderRequest, TheRouteIsLookedUpAgainUnlessToldNot) {
  for (const bool keep : {false, true}) {
    FilterDriver driver(kType);
    ASSERT_TRUE(
        driver.configure(bookstore_config(keep ? "match_incoming_request_route: true" : "")));
    EXPECT_EQ(driver.run({.method = "GET", .path = "/shelves"}).route_stale, !keep);
  }
}

// ---- errors ----

struct BadCase {
  FakeRequest request;
  uint16_t status;
  const char* body;
};

void expect_refused(const BadCase& c, const std::string& more = "") {
  const Outcome out = run(c.request, more);
  EXPECT_EQ(out.status, c.status) << c.request.path;
  EXPECT_EQ(out.response_body, c.body) << c.request.path;
  EXPECT_EQ(out.content_type, "application/json");
  EXPECT_EQ(out.details, "grpc_json_transcode_failure");
  EXPECT_FALSE(out.head_passed);
}

TEST(TranscoderRequest, ErrorsNameTheFieldAndHaveTheRightCode) {
  const HeaderLines json = {{"content-type", "application/json; charset=utf-8"}};
  const BadCase cases[] = {
      {{.path = "/shelves/1/books",
        .headers = json,
        .body = {R"({"pages":[{},{},{},)", R"({"title":7}]})"}},
       400,
       R"({"code":3,"message":"book.pages[3].title: expected a string, not 7","details":[)"
       R"({"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[)"
       R"({"field":"book.pages[3].title","description":"expected a string, not 7"}]}]})"},
      {{.path = "/shelves", .body = {"{\"id\":"}},
       400,
       R"({"code":3,"message":"id: not valid JSON at line 1, column 7: syntax error while parsing )"
       R"(value - unexpected end of input; expected '[', '{', or a literal","details":[)"
       R"({"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"id",)"
       R"("description":"not valid JSON at line 1, column 7: syntax error while parsing value - )"
       R"(unexpected end of input; expected '[', '{', or a literal"}]}]})"},
      // A message could not hold the bytes themselves.
      {{.path = "/shelves", .body = {"{\"theme\":\"\xc3\xa9\xff\"}"}},
       400,
       R"({"code":3,"message":"theme: not valid JSON at line 1, column 13: syntax error while )"
       "parsing value - invalid string: ill-formed UTF-8 byte; last read: '\\\"\xc3\xa9?'"
       R"(","details":[{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[)"
       R"({"field":"theme","description":"not valid JSON at line 1, column 13: syntax error while )"
       "parsing value - invalid string: ill-formed UTF-8 byte; last read: '\\\"\xc3\xa9?'"
       R"("}]}]})"},
      {{.path = "/shelves", .body = {"[]"}},
       400,
       R"({"code":3,"message":"expected a bookstore.Shelf, not an array"})"},
      {{.method = "GET", .path = "/shelves/x"},
       400,
       R"({"code":3,"message":"shelf: expected a 64-bit integer, not 'x'","details":[)"
       R"({"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[)"
       R"({"field":"shelf","description":"expected a 64-bit integer, not 'x'"}]}]})"},
      {{.method = "GET", .path = "/search?like.sold_out=1"},
       400,
       R"({"code":3,"message":"like.sold_out: expected true or false, not '1'","details":[)"
       R"({"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[)"
       R"({"field":"like.sold_out","description":"expected true or false, not '1'"}]}]})"},
      {{.path = "/shelves", .headers = {{"content-type", "text/xml"}}, .body = {"<a/>"}},
       415,
       R"({"code":3,"message":"content-type 'text/xml' is not JSON: send application/json"})"},
      {{.path = "/shelves", .headers = {{"content-encoding", "gzip"}}, .body = {"x"}},
       415,
       R"({"code":3,"message":"a body with content-encoding 'gzip' can)"
       R"(not be read: send it without one"})"},
  };
  for (const BadCase& c : cases) expect_refused(c);
}

TEST(TranscoderRequest, JsonHasManyNames) {
  for (const char* type : {"application/json", "text/json", "application/merge-patch+json",
                           "Application/JSON;charset=utf-8", "application/x-ndjson", ""})
    EXPECT_EQ(run({.path = "/shelves", .headers = {{"content-type", type}}, .body = {"{}"}}).path,
              "/bookstore.Bookstore/CreateShelf")
        << type;
  // Without a body there is nothing to be of a type.
  EXPECT_EQ(
      run({.method = "GET", .path = "/shelves", .headers = {{"content-type", "text/xml"}}}).path,
      "/bookstore.Bookstore/ListShelves");
}

TEST(TranscoderRequest, Validation) {
  const std::string strict =
      "request_validation_options: {reject_unknown_method: true, "
      "reject_unknown_query_parameters: true, reject_binding_body_field_collisions: true}";
  expect_refused({{.method = "GET", .path = "/other?x=1"},
                  404,
                  R"({"code":5,"message":"no method is bound to GET /other"})"},
                 strict);
  expect_refused(
      {{.method = "GET", .path = "/search?like.nope=1"},
       400,
       R"({"code":3,"message":"like.nope: no field for this query parameter","details":[)"
       R"({"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[)"
       R"({"field":"like.nope","description":"no field for this query parameter"}]}]})"},
      strict);
  expect_refused({{.method = "GET", .path = "/search?%ffx=1"},
                  400,
                  R"({"code":3,"message":"?x: no field for this query parameter","details":[)"
                  R"({"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[)"
                  R"({"field":"?x","description":"no field for this query parameter"}]}]})"},
                 strict);
  expect_refused(
      {{.path = "/shelves/1/books?book.id=5", .body = {R"({"id":6})"}},
       400,
       R"({"code":3,"message":"book.id: the body says otherwise than the URL","details":[)"
       R"({"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[)"
       R"({"field":"book.id","description":"the body says otherwise than the URL"}]}]})"},
      strict);
  EXPECT_EQ(run({.path = "/shelves/1/books?book.id=5", .body = {R"({"id":5})"}}, strict).path,
            "/bookstore.Bookstore/CreateBook");
  // A call in gRPC's own form is the upstream's affair.
  EXPECT_EQ(run({.path = "/x.Y/Z", .headers = {{"content-type", "application/grpc"}}}, strict).path,
            "/x.Y/Z");
}

// ---- sizes ----

TEST(TranscoderRequest, BodiesAboveTheLimit) {
  expect_refused({{.path = "/shelves", .body = {R"({"theme":")", std::string(200, 'x'), "\"}"}},
                  413,
                  R"({"code":8,"message":"the body is larger than 100 bytes"})"},
                 "max_request_body_size: 100");
  // The head of a stream has gone on already; its element has a limit, not the stream.
  const std::string small = "{\"note\":\"" + std::string(60, 'x') + "\"}";
  const std::string large = "{\"note\":\"" + std::string(100, 'x') + "\"}";
  const std::string limit = "max_request_body_size: 100";
  const Outcome stream = run({.path = "/bulk", .body = {"[" + small + "," + large + "]"}}, limit);
  EXPECT_EQ(stream.status, 413);
  EXPECT_EQ(stream.response_body, R"({"code":8,"message":"the body is larger than 100 bytes"})");
  EXPECT_EQ(run({.path = "/bulk", .body = {"[" + small + "," + small + "]"}}, limit).status, 200);
}

TEST(TranscoderRequest, BodiesOfManyMegabytes) {
  const std::string theme(5'000'000, 'x');
  std::vector<std::string> pieces = {"{\"theme\":\""};
  for (size_t at = 0; at < theme.size(); at += 100'000) pieces.push_back(theme.substr(at, 100'000));
  pieces.push_back("\"}");
  const Outcome out = run({.path = "/shelves", .body = pieces}, "max_request_body_size: 8000000");
  EXPECT_EQ(messages<bookstore::Shelf>(out), "theme: \"" + theme + "\"|");
  // Without a limit of its own it is that of the filters.
  EXPECT_EQ(run({.path = "/shelves", .body = pieces}).status, 413);
}

// ---- streams ----

TEST(TranscoderRequest, StreamsElementByElement) {
  const std::string expected = R"(shelf: 1 book { name: "a" }|shelf: 2 note: "]"||)";
  const std::string array = R"([{"shelf":1,"book":{"name":"a"}}, {"shelf":"2","note":"]"},{}])";
  const std::string lines =
      "{\"shelf\":1,\"book\":{\"name\":\"a\"}}\n{\"shelf\":2,\"note\":\"]\"}\n{}";
  for (const std::string& text : {array, lines}) {
    for (size_t at = 0; at <= text.size(); ++at) {
      const Outcome out = run({.path = "/bulk", .body = {text.substr(0, at), text.substr(at)}});
      ASSERT_EQ(messages<bookstore::CreateBookRequest>(out), expected) << at;
      EXPECT_TRUE(out.request_ended);
    }
  }
  EXPECT_EQ(messages<bookstore::CreateBookRequest>(run({.path = "/bulk", .body = {"[]"}})), "");
  EXPECT_EQ(messages<bookstore::CreateBookRequest>(run({.path = "/bulk"})), "");
}

TEST(TranscoderRequest, StreamsHaveWhatTheUrlSaysInEachMessage) {
  EXPECT_EQ(messages<bookstore::CreateBookRequest>(
                run({.path = "/bulk/7", .body = {R"([{"name":"a"},{"name":"b"}])"}})),
            R"(shelf: 7 book { name: "a" }|shelf: 7 book { name: "b" }|)");
}

TEST(TranscoderRequest, ErrorsWithinStreams) {
  const struct {
    const char* body;
    const char* message;
  } cases[] = {
      {R"([{},{"book":{"id":"x"}}])", "[1].book.id: expected a 64-bit integer, not 'x'"},
      {"[{},7]", "[1]: expected an object, not 7"},
      {"[{}", "the stream of messages is not complete"},
      {"[{}x]", "expected an array of messages, or messages in lines"},
  };
  for (const auto& c : cases) {
    const Outcome out = run({.path = "/bulk", .body = {c.body}});
    EXPECT_EQ(out.status, 400) << c.body;
    const std::string wanted = std::string(R"({"code":3,"message":")") + c.message + '"';
    EXPECT_EQ(out.response_body.substr(0, wanted.size()), wanted);
  }
}

// ---- google.api.HttpBody ----

TEST(TranscoderRequest, HttpBodies) {
  const HeaderLines image = {{"content-type", "image/png"}};
  EXPECT_EQ(messages<bookstore::UploadRequest>(
                run({.path = "/upload/x", .headers = image, .body = {"a", "bc"}})),
            R"(name: "x" content { content_type: "image/png" data: "abc" }|)");
  EXPECT_EQ(messages<google::api::HttpBody>(run({.path = "/raw", .body = {"{"}})), "data: \"{\"|");
  EXPECT_EQ(messages<google::api::HttpBody>(run({.path = "/raw", .headers = image})),
            "content_type: \"image/png\"|");
  EXPECT_EQ(messages<bookstore::UploadRequest>(
                run({.path = "/upload-stream/x", .headers = image, .body = {"a", "b"}})),
            R"(name: "x" content { content_type: "image/png" data: "a" }|content { data: "b" }|)");
  EXPECT_EQ(messages<bookstore::UploadRequest>(run({.path = "/upload-stream/x", .headers = image})),
            R"(name: "x" content { content_type: "image/png" }|)");
}

TEST(TranscoderRequest, CapturesUnknownParametersInHttpBodies) {
  const Outcome out =
      run({.path = "/raw?a=1&b=2&a=3", .body = {"x"}}, "capture_unknown_query_parameters: true");
  google::api::HttpBody body;
  ASSERT_TRUE(body.ParseFromString(out.request_body.substr(http::kGrpcPrefixBytes)));
  ASSERT_EQ(body.extensions_size(), 1);
  envoy::extensions::filters::http::grpc_json_transcoder::v3::UnknownQueryParams unknown;
  ASSERT_TRUE(body.extensions(0).UnpackTo(&unknown));
  EXPECT_EQ(unknown.key().at("a").values_size(), 2);
  EXPECT_EQ(unknown.key().at("b").values(0), "2");
}

TEST(TranscoderRequest, TrailersOfTheClient) {
  const Outcome out =
      run({.path = "/shelves", .body = {R"({"id":1})"}, .trailers = HeaderLines{{"x-t", "1"}}});
  EXPECT_EQ(messages<bookstore::Shelf>(out), "id: 1|");
  EXPECT_EQ(out.request_trailers, (HeaderLines{{"x-t", "1"}}));
  const Outcome stream =
      run({.path = "/bulk", .body = {"{\"shelf\":1} 2"}, .trailers = HeaderLines{}});
  EXPECT_EQ(stream.status, 400);
}

}  // namespace
}  // namespace weir::filters::transcoder
