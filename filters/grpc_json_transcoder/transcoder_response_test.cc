// What a client gets of an upstream's response.
#include <gtest/gtest.h>

#include "bookstore.pb.h"
#include "filters/common/base64.h"
#include "filters/grpc_json_transcoder/grpc_json_transcoder.h"
#include "filters/grpc_json_transcoder/testing/bookstore_set.h"
#include "filters/testing/filter_driver.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "proxy/http/grpc_frame.h"

namespace weir::filters::transcoder {
namespace {

const http::FilterType kType = grpc_json_transcoder();
const HeaderLines kGrpc = {{"content-type", "application/grpc"}, {"grpc-encoding", "identity"}};
const HeaderLines kOk = {{"grpc-status", "0"}};

Outcome run(const FakeRequest& request, const FakeResponse& response,
            const std::string& more = "") {
  FilterDriver driver(kType);
  EXPECT_TRUE(driver.configure(bookstore_config(more))) << driver.errors();
  return driver.run(request, response);
}

FakeRequest get(const std::string& path) {
  return {.method = "GET", .path = path};
}

std::string frame(const google::protobuf::Message& message) {
  std::string out;
  http::append_grpc_frame(message.SerializeAsString(), out);
  return out;
}

bookstore::Book book(const std::string& name) {
  bookstore::Book out;
  out.set_name(name);
  return out;
}

bookstore::Shelf shelf(int64_t id) {
  bookstore::Shelf out;
  out.set_id(id);
  return out;
}

// ---- one message ----

TEST(TranscoderResponse, OneMessageBecomesABody) {
  const std::string body = frame(shelf(7));
  for (size_t at = 1; at < body.size(); ++at) {
    const Outcome out = run(get("/shelves/7"), {.headers = kGrpc,
                                                .body = body.substr(0, at),
                                                .trailers = kOk,
                                                .more_body = {body.substr(at)}});
    EXPECT_EQ(out.status, 200);
    EXPECT_EQ(out.response_body, R"({"id":"7"})");
    EXPECT_EQ(out.response_headers, (HeaderLines{{"grpc-status", "0"},
                                                 {"content-type", "application/json"},
                                                 {"content-length", "10"}}));
    EXPECT_TRUE(out.response_ended);
    EXPECT_TRUE(out.response_trailers.empty());
  }
}

TEST(TranscoderResponse, PartsAndPrintOptions) {
  bookstore::ListShelvesResponse shelves;
  *shelves.add_shelves() = shelf(1);
  shelves.add_shelves();
  const FakeResponse response{.headers = kGrpc, .body = frame(shelves), .trailers = kOk};
  EXPECT_EQ(run(get("/shelves"), response).response_body, R"([{"id":"1"},{}])");
  EXPECT_EQ(run(get("/shelves"), response, "print_options: {always_print_primitive_fields: true}")
                .response_body,
            R"([{"id":"1","theme":""},{"id":"0","theme":""}])");
  EXPECT_EQ(run(get("/shelves"), response, "print_options: {add_whitespace: true}").response_body,
            "[\n {\n  \"id\": \"1\"\n },\n {}\n]\n");
}

TEST(TranscoderResponse, MessagesOfManyMegabytes) {
  const bookstore::Book large = book(std::string(5'000'000, 'x'));
  const FakeResponse response{.headers = kGrpc, .body = frame(large), .trailers = kOk};
  const Outcome out = run(get("/books/x"), response, "max_response_body_size: 8000000");
  EXPECT_EQ(out.response_body, "{\"name\":\"" + large.name() + "\"}");
  const Outcome refused = run(get("/books/x"), response);
  EXPECT_EQ(refused.status, 500);
  EXPECT_EQ(refused.response_body,
            R"({"code":8,"message":"a message of the response is larger than the limit"})");
  EXPECT_TRUE(refused.response_ended);
}

TEST(TranscoderResponse, WhatIsNoGrpcPassesUntouched) {
  const FakeResponse cases[] = {
      {.status = 503, .headers = {{"content-type", "text/plain"}}, .body = "no host"},
      {.status = 503, .headers = {{"content-type", "application/grpc"}}, .body = "x"},
      {.headers = {{"content-type", "text/html"}}, .body = "<p>"},
      {.status = 404},
  };
  for (const FakeResponse& response : cases) {
    const Outcome out = run(get("/shelves/7"), response);
    EXPECT_EQ(out.status, response.status);
    EXPECT_EQ(out.response_headers, response.headers);
    EXPECT_EQ(out.response_body, response.body);
  }
}

TEST(TranscoderResponse, ResponsesToOthersRequestsPass) {
  const Outcome out = run({.path = "/other"}, {.headers = kGrpc, .body = "x", .trailers = kOk});
  EXPECT_EQ(out.response_headers, kGrpc);
  EXPECT_EQ(out.response_body, "x");
  EXPECT_EQ(out.response_trailers, kOk);
}

// ---- errors of the call ----

TEST(TranscoderResponse, StatusBecomesTheCode) {
  const struct {
    const char* grpc;
    uint16_t http;
  } cases[] = {{"1", 499},  {"2", 500},  {"3", 400},  {"4", 504},  {"5", 404},  {"6", 409},
               {"7", 403},  {"8", 429},  {"9", 400},  {"10", 409}, {"11", 400}, {"12", 501},
               {"13", 500}, {"14", 503}, {"15", 500}, {"16", 401}, {"77", 500}};
  for (const auto& c : cases) {
    const HeaderLines status = {{"grpc-status", c.grpc}, {"grpc-message", "no%20book"}};
    const Outcome out = run(get("/shelves/7"), {.headers = kGrpc, .trailers = status});
    EXPECT_EQ(out.status, c.http) << c.grpc;
    EXPECT_EQ(out.response_body, "");
    EXPECT_EQ(value_of(out.response_headers, "grpc-status"), c.grpc);
    EXPECT_EQ(value_of(out.response_headers, "grpc-message"), "no%20book");
    EXPECT_EQ(value_of(out.response_headers, "content-length"), "0");
    EXPECT_TRUE(out.response_ended);
    EXPECT_TRUE(out.response_trailers.empty());
  }
}

TEST(TranscoderResponse, ACallWithoutAStatusFailed) {
  EXPECT_EQ(run(get("/shelves/7"), {.headers = kGrpc, .body = frame(shelf(1))}).status, 503);
  EXPECT_EQ(run(get("/shelves/7"), {.headers = kGrpc, .trailers = HeaderLines{{"x", "y"}}}).status,
            503);
}

HeaderLines detailed() {
  google::rpc::Status status;
  status.set_code(5);
  status.set_message("no such book");
  google::rpc::ResourceInfo info;
  info.set_resource_name("books/1");
  status.add_details()->PackFrom(info);
  status.add_details()->PackFrom(shelf(3));
  std::string bytes;
  common::append_base64(status.SerializeAsString(), bytes);
  while (bytes.ends_with('=')) bytes.pop_back();  // as gRPC libraries send it
  return {{"grpc-status", "5"}, {"grpc-message", "other"}, {"grpc-status-details-bin", bytes}};
}

TEST(TranscoderResponse, StatusBecomesABody) {
  const std::string with_details =
      R"({"code":5,"message":"no such book","details":[)"
      R"({"@type":"type.googleapis.com/google.rpc.ResourceInfo","resourceName":"books/1"},)"
      R"({"@type":"type.googleapis.com/bookstore.Shelf","id":"3"}]})";
  const struct {
    HeaderLines status;
    std::string body;
  } cases[] = {
      {{{"grpc-status", "5"}, {"grpc-message", "no %C3%A9"}},
       "{\"code\":5,\"message\":\"no \u00e9\"}"},
      {{{"grpc-status", "5"}}, R"({"code":5})"},
      {{{"grpc-status", "5"}, {"grpc-message", "%ff"}}, R"({"code":5,"message":"?"})"},
      {{{"grpc-status", "5"}, {"grpc-status-details-bin", "!"}}, R"({"code":5})"},
      {detailed(), with_details},
  };
  for (const auto& c : cases) {
    for (const bool trailers_only : {false, true}) {
      FakeResponse response{.headers = kGrpc, .trailers = c.status};
      if (trailers_only) {
        response.trailers.reset();
        response.headers.insert(response.headers.end(), c.status.begin(), c.status.end());
      }
      const Outcome out = run(get("/shelves/7"), response, "convert_grpc_status: true");
      EXPECT_EQ(out.status, 404);
      EXPECT_EQ(out.response_body, c.body);
      EXPECT_EQ(out.response_headers,
                (HeaderLines{{"content-type", "application/json"},
                             {"content-length", std::to_string(c.body.size())}}));
      EXPECT_TRUE(out.response_ended);
      EXPECT_TRUE(out.response_trailers.empty());
    }
  }
}

TEST(TranscoderResponse, TrailersOnly) {
  const Outcome failed =
      run(get("/shelves/7"),
          {.headers = {{"content-type", "application/grpc"}, {"grpc-status", "16"}}});
  EXPECT_EQ(failed.status, 401);
  EXPECT_EQ(failed.response_body, "");
  EXPECT_EQ(value_of(failed.response_headers, "grpc-status"), "16");
  EXPECT_TRUE(failed.response_ended);
  const Outcome empty = run(get("/watch/x"), {.headers = {{"grpc-status", "0"}}});
  EXPECT_EQ(empty.status, 200);
  EXPECT_EQ(empty.response_body, "[]");
}

// ---- streams ----

FakeResponse three_books() {
  return {.headers = kGrpc,
          .body = frame(book("a")) + frame(book("b")).substr(0, 3),
          .trailers = kOk,
          .more_body = {frame(book("b")).substr(3), frame(book("c"))}};
}

TEST(TranscoderResponse, StreamsAsArraysLinesAndEvents) {
  const struct {
    const char* options;
    const char* body;
    const char* type;
  } cases[] = {
      {"", R"([{"name":"a"},{"name":"b"},{"name":"c"}])", "application/json"},
      {"print_options: {stream_newline_delimited: true, add_whitespace: true}",
       "{\"name\":\"a\"}\n{\"name\":\"b\"}\n{\"name\":\"c\"}\n", "application/json"},
      {"print_options: {stream_sse_style_delimited: true, stream_newline_delimited: true}",
       "data: {\"name\":\"a\"}\n\ndata: {\"name\":\"b\"}\n\ndata: {\"name\":\"c\"}\n\n",
       "text/event-stream"},
  };
  for (const auto& c : cases) {
    const Outcome out = run(get("/watch/x"), three_books(), c.options);
    EXPECT_EQ(out.status, 200);
    EXPECT_EQ(out.response_body, c.body);
    EXPECT_EQ(out.response_headers, (HeaderLines{{"content-type", c.type}}));
    EXPECT_EQ(out.response_trailers, kOk);
  }
}

TEST(TranscoderResponse, StreamsOfPartsAndOfNothing) {
  bookstore::Book one;
  one.mutable_author()->set_last_name("Eco");
  EXPECT_EQ(run(get("/watch/x/author"),
                {.headers = kGrpc, .body = frame(one) + frame(one), .trailers = kOk})
                .response_body,
            R"([{"lastName":"Eco"},{"lastName":"Eco"}])");
  const Outcome empty = run(get("/watch/x"), {.headers = kGrpc, .trailers = kOk});
  EXPECT_EQ(empty.response_body, "[]");
  EXPECT_EQ(value_of(empty.response_headers, "content-length"), "2");
  EXPECT_EQ(run(get("/watch/x"), {.headers = kGrpc, .trailers = kOk},
                "print_options: {stream_newline_delimited: true}")
                .response_body,
            "");
}

// A stream that fails before its first message has the right code.
TEST(TranscoderResponse, StreamsThatFail) {
  const HeaderLines missing = {{"grpc-status", "5"}};
  const Outcome at_once =
      run(get("/watch/x"), {.headers = kGrpc, .trailers = missing}, "convert_grpc_status: true");
  EXPECT_EQ(at_once.status, 404);
  EXPECT_EQ(at_once.response_body, R"({"code":5})");
  EXPECT_EQ(run(get("/watch/x"), {.headers = kGrpc, .trailers = missing}).response_body, "");
  const Outcome later =
      run(get("/watch/x"), {.headers = kGrpc, .body = frame(book("a")), .trailers = missing});
  EXPECT_EQ(later.status, 200);
  EXPECT_EQ(later.response_body, R"([{"name":"a"}])");
  EXPECT_EQ(later.response_trailers, missing);
}

// ---- google.api.HttpBody ----

google::api::HttpBody raw(const std::string& type, const std::string& data) {
  google::api::HttpBody out;
  out.set_content_type(type);
  out.set_data(data);
  return out;
}

TEST(TranscoderResponse, HttpBodies) {
  bookstore::DownloadResponse download;
  *download.mutable_content() = raw("image/png", "\x89PNG");
  const Outcome part =
      run(get("/download/x"), {.headers = kGrpc, .body = frame(download), .trailers = kOk});
  EXPECT_EQ(part.response_body, "\x89PNG");
  EXPECT_EQ(value_of(part.response_headers, "content-type"), "image/png");
  EXPECT_EQ(value_of(part.response_headers, "content-length"), "4");

  const Outcome whole = run({.path = "/raw", .body = {"x"}},
                            {.headers = kGrpc, .body = frame(raw("", "y")), .trailers = kOk});
  EXPECT_EQ(whole.response_body, "y");
  EXPECT_FALSE(value_of(whole.response_headers, "content-type"));

  const Outcome stream = run(get("/download-stream/x"), {.headers = kGrpc,
                                                         .body = frame(raw("text/csv", "a,")),
                                                         .trailers = kOk,
                                                         .more_body = {frame(raw("", "b"))}});
  EXPECT_EQ(stream.response_body, "a,b");
  EXPECT_EQ(value_of(stream.response_headers, "content-type"), "text/csv");
  EXPECT_EQ(stream.response_trailers, kOk);
}

// ---- upstreams that send nonsense ----

TEST(TranscoderResponse, WhatCannotBeReadIsAnError) {
  std::string compressed;
  http::append_grpc_frame("x", compressed, http::kGrpcCompressed);
  std::string no_message;
  http::append_grpc_frame("\xff", no_message);
  const struct {
    std::string body;
    const char* message;
  } cases[] = {
      {compressed, "a message of the response is compressed or of an unknown kind"},
      {no_message, "a message of the response is no bookstore.Shelf"},
      {frame(shelf(1)) + frame(shelf(2)), "the response has more than one message"},
      {frame(shelf(1)).substr(0, 6), "the response ends within a message"},
  };
  for (const auto& c : cases) {
    const Outcome out = run(get("/shelves/7"), {.headers = kGrpc, .body = c.body, .trailers = kOk});
    EXPECT_EQ(out.status, 502);
    EXPECT_EQ(out.response_body, std::string(R"({"code":13,"message":")") + c.message + "\"}");
    EXPECT_EQ(out.content_type, "application/json");
    EXPECT_TRUE(out.response_ended);
    EXPECT_TRUE(out.response_trailers.empty());
  }
}

// Half of a stream must not look like the whole of it.
TEST(TranscoderResponse, ABrokenStreamBreaksOff) {
  std::string bad;
  http::append_grpc_frame("\xff", bad);
  const Outcome out =
      run(get("/watch/x"),
          {.headers = kGrpc, .body = frame(book("a")), .trailers = kOk, .more_body = {bad}});
  EXPECT_EQ(out.response_body, R"([{"name":"a"})");
  EXPECT_TRUE(out.broken_off);
  EXPECT_FALSE(out.response_ended);
}

}  // namespace
}  // namespace weir::filters::transcoder
