#include "filters/grpc_json_transcoder/json_writer.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "bookstore.pb.h"
#include "filters/grpc_json_transcoder/json_reader.h"
#include "filters/grpc_json_transcoder/testing/bookstore_set.h"

namespace weir::filters::transcoder {
namespace {

using google::protobuf::Message;

const Types& types() {
  static const std::unique_ptr<const Types> kTypes = Types::load(bookstore_set()).take();
  return *kTypes;
}

// The book, given in the text format, as a message of the loaded types.
std::unique_ptr<Message> book(const std::string& text) {
  bookstore::Book parsed;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &parsed)) << text;
  std::unique_ptr<Message> message(types().find("bookstore.Book")->New());
  EXPECT_TRUE(message->ParseFromString(parsed.SerializeAsString()));
  return message;
}

std::string write(const std::string& text, const JsonWriteOptions& options = {}) {
  std::string out;
  write_json(*book(text), types(), options, out);
  return out;
}

const struct {
  const char* message;
  const char* json;
} kCases[] = {
    {"", "{}"},
    {R"(name: "a\"\\\n\001" id: -7)", R"({"name":"a\"\\\n\u0001","id":"-7"})"},
    {"isbn: 18446744073709551615 edition: 4294967295 digit: 0 year: 0",
     R"({"edition":4294967295,"isbn":"18446744073709551615","digit":0,"year":0})"},
    {"price: 1.5 weight: 0.1", R"({"price":1.5,"weight":0.1})"},
    {"price: nan weight: -inf", R"({"price":"NaN","weight":"-Infinity"})"},
    {"price: 1e300", R"({"price":1e+300})"},
    {R"(cover: "\373\377" sold_out: true)", R"({"cover":"+/8=","soldOut":true})"},
    {"genre: NOVEL genres: 1 genres: 99", R"({"genre":"NOVEL","genres":["NOVEL",99]})"},
    {R"(author { } pages { number: 1 } pages { })", R"({"author":{},"pages":[{"number":1},{}]})"},
    {R"(stock { key: "a" value: 1 })", R"({"stock":{"a":1}})"},
    {R"(index { key: -1 value { number: 3 } })", R"({"index":{"-1":{"number":3}}})"},
    {R"(answers { key: true value: "y" })", R"({"answers":{"true":"y"}})"},
    {"published { seconds: 1706702400 nanos: 500000000 } reading_time { seconds: -1 nanos: "
     "-500000000 }",
     R"({"published":"2024-01-31T12:00:00.500Z","readingTime":"-1.500s"})"},
    {R"(subtitle { } in_print { value: true })", R"({"subtitle":"","inPrint":true})"},
    {R"(reviewed { paths: "author.first_name" paths: "pages" })",
     R"({"reviewed":"author.firstName,pages"})"},
    {"rating { null_value: NULL_VALUE } awards { values { bool_value: true } }",
     R"({"rating":null,"awards":[true]})"},
    {R"(extras { fields { key: "n" value { list_value { values { number_value: 1 } } } } })",
     R"({"extras":{"n":[1]}})"},
    {R"(attachment { [type.googleapis.com/bookstore.Page] { number: 3 } })",
     R"({"attachment":{"@type":"type.googleapis.com/bookstore.Page","number":3}})"},
    {R"(attachment { [type.googleapis.com/google.protobuf.Duration] { seconds: 1 } })",
     R"({"attachment":{"@type":"type.googleapis.com/google.protobuf.Duration","value":"1s"}})"},
    {R"(odd: "x")", R"({"veryOdd":"x"})"},
};

TEST(JsonWriter, EveryKindOfField) {
  for (const auto& c : kCases) EXPECT_EQ(write(c.message), c.json) << c.message;
}

TEST(JsonWriter, WhatItWritesIsReadAsTheSame) {
  for (const auto& c : kCases) {
    std::unique_ptr<Message> again(types().find("bookstore.Book")->New());
    EXPECT_FALSE(read_json(c.json, *again, {.types = types()})) << c.json;
    EXPECT_EQ(again->DebugString(), book(c.message)->DebugString()) << c.json;
  }
}

TEST(JsonWriter, AnAnyOfAnUnknownTypeKeepsItsBytes) {
  EXPECT_EQ(write(R"(attachment { type_url: "x/nope" value: "\001" })"),
            R"({"attachment":{"@type":"x/nope","value":"AQ=="}})");
  EXPECT_EQ(write("attachment { }"), R"({"attachment":{}})");
}

TEST(JsonWriter, Options) {
  const std::string message = R"(genre: NOVEL sold_out: true pages { } author { last_name: "x" })";
  EXPECT_EQ(write(message, {.enums_as_ints = true, .preserve_proto_field_names = true}),
            R"({"author":{"last_name":"x"},"pages":[{}],"genre":1,"sold_out":true})");
  EXPECT_EQ(write(message, {.add_whitespace = true}),
            "{\n \"author\": {\n  \"lastName\": \"x\"\n },\n \"pages\": [\n  {}\n ],\n"
            " \"genre\": \"NOVEL\",\n \"soldOut\": true\n}\n");
}

TEST(JsonWriter, AlwaysPrintsPrimitives) {
  std::string out;
  std::unique_ptr<Message> page(types().find("bookstore.Page")->New());
  write_json(*page, types(), {.always_print_primitive_fields = true}, out);
  EXPECT_EQ(out, R"({"number":0,"title":""})");
  out = write("", {.always_print_primitive_fields = true});
  for (const char* there : {R"("name":"")", R"("id":"0")", R"("pages":[])", R"("stock":{})",
                            R"("genre":"GENRE_UNSPECIFIED")", R"("soldOut":false)", R"("price":0)"})
    EXPECT_NE(out.find(there), std::string::npos) << there << " in " << out;
  for (const char* missing : {"author", "published", "subtitle", "letter", "digit", "year"})
    EXPECT_EQ(out.find(missing), std::string::npos) << missing << " in " << out;
}

TEST(JsonWriter, PartsOfAMessage) {
  const auto message = book(R"(author { last_name: "x" } tags: "a" tags: "b" id: 3)");
  const auto& type = *message->GetDescriptor();
  const auto part = [&](const FieldChain& chain) {
    std::string out;
    write_json_field(*message, chain, types(), {}, out);
    return out;
  };
  const auto* author = type.FindFieldByName("author");
  EXPECT_EQ(part({author}), R"({"lastName":"x"})");
  EXPECT_EQ(part({author, author->message_type()->FindFieldByName("last_name")}), R"("x")");
  EXPECT_EQ(part({type.FindFieldByName("tags")}), R"(["a","b"])");
  EXPECT_EQ(part({type.FindFieldByName("id")}), R"("3")");
  EXPECT_EQ(part({type.FindFieldByName("sequel")}), "null");
}

TEST(JsonWriter, TextThatIsNoUtf8IsStillJson) {
  std::string out;
  bookstore::Page page;
  page.set_title("\xff");
  write_json(page, types(), {}, out);
  EXPECT_EQ(out, "{\"title\":\"\xef\xbf\xbd\"}");
}

}  // namespace
}  // namespace weir::filters::transcoder
