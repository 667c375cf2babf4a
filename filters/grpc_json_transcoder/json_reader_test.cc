#include "filters/grpc_json_transcoder/json_reader.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "bookstore.pb.h"
#include "filters/grpc_json_transcoder/testing/bookstore_set.h"

namespace weir::filters::transcoder {
namespace {

using google::protobuf::Message;

const Types& types() {
  static const std::unique_ptr<const Types> kTypes = Types::load(bookstore_set()).take();
  return *kTypes;
}

struct Read {
  bool ignore_unknown = true;
  bool any_case = false;
  FieldChain chain = {};
  std::string type = "bookstore.Book";
};

// The message in the text format, or "field: what is wrong".
std::string read(std::string_view json, const Read& how = {}) {
  const std::unique_ptr<Message> message(types().find(how.type)->New());
  const JsonReadOptions options{.types = types(),
                                .ignore_unknown_fields = how.ignore_unknown,
                                .case_insensitive_enums = how.any_case};
  const auto violation = how.chain.empty() ? read_json(json, *message, options)
                                           : read_json_field(json, *message, how.chain, options);
  if (violation) return violation->field + ": " + violation->description;
  // What counts is what is on the wire, where the generated type reads it.
  if (how.type != "bookstore.Book") return message->ShortDebugString();
  bookstore::Book book;
  EXPECT_TRUE(book.ParseFromString(message->SerializeAsString()));
  std::string text;
  google::protobuf::TextFormat::Printer printer;
  printer.SetSingleLineMode(true);
  printer.SetExpandAny(true);
  printer.PrintToString(book, &text);
  if (!text.empty()) text.pop_back();
  return text;
}

struct Case {
  const char* json;
  const char* message;
};

TEST(JsonReader, Scalars) {
  const Case cases[] = {
      {"{}", ""},
      {R"({"name":"a","id":"7","sold_out":true})", R"(name: "a" id: 7 sold_out: true)"},
      {R"({"soldOut":false,"edition":1e2})", "edition: 100"},
      {R"({"id":-9223372036854775808})", "id: -9223372036854775808"},
      {R"({"id":"-9223372036854775808"})", "id: -9223372036854775808"},
      {R"({"isbn":18446744073709551615})", "isbn: 18446744073709551615"},
      {R"({"isbn":"18446744073709551615"})", "isbn: 18446744073709551615"},
      {R"({"id":"1.0","edition":2.0})", "id: 1 edition: 2"},
      {R"({"price":1.5,"weight":"2.5"})", "price: 1.5 weight: 2.5"},
      {R"({"price":"NaN","weight":"-Infinity"})", "price: nan weight: -inf"},
      {R"({"price":-0,"weight":-0.0})", "price: -0 weight: -0"},
      {R"({"price":7})", "price: 7"},
      {R"({"cover":"+/8="})", R"(cover: "\373\377")"},
      {R"({"cover":"-_8"})", R"(cover: "\373\377")"},
      {R"({"genre":"NOVEL"})", "genre: NOVEL"},
      {R"({"genre":2})", "genre: SCIENCE_FICTION"},
      {R"({"genre":99})", "genre: 99"},
      {R"({"veryOdd":"x"})", R"(odd: "x")"},
      {R"({"odd":"x"})", R"(odd: "x")"},
      {R"({"year":0})", "year: 0"},
      {R"({"digit":0})", "digit: 0"},
      {R"({"letter":null,"digit":1})", "digit: 1"},
      {R"({"digit":1,"letter":null,"sequel":{"letter":"a"}})",
       R"(digit: 1 sequel { letter: "a" })"},
      {R"({"edition":-0,"isbn":-0,"id":-0})", ""},
      {R"({"nothing":null})", ""},
      {R"({"name":null,"pages":null,"author":null,"stock":null,"genre":null})", ""},
      {R"({"name":"\u00e9\ud83d\ude00\n"})", R"(name: "\303\251\360\237\230\200\n")"},
  };
  for (const Case& c : cases) EXPECT_EQ(read(c.json), c.message) << c.json;
}

TEST(JsonReader, MessagesListsAndMaps) {
  const Case cases[] = {
      {R"({"author":{"firstName":"U"}})", R"(author { first_name: "U" })"},
      {R"({"author":{}})", "author { }"},
      {R"({"pages":[{"number":1},{},{"title":"t"}]})",
       R"(pages { number: 1 } pages { } pages { title: "t" })"},
      {R"({"tags":[],"genres":["NOVEL",2]})", "genres: NOVEL genres: SCIENCE_FICTION"},
      {R"({"stock":{"a":1,"":2}})", R"(stock { key: "" value: 2 } stock { key: "a" value: 1 })"},
      {R"({"index":{"-1":{"number":3}}})", R"(index { key: -1 value { number: 3 } })"},
      {R"({"answers":{"true":"y","false":"n"}})",
       R"(answers { key: false value: "n" } answers { key: true value: "y" })"},
      {R"({"sequel":{"sequel":{"name":"x"}}})", R"(sequel { sequel { name: "x" } })"},
  };
  for (const Case& c : cases) EXPECT_EQ(read(c.json), c.message) << c.json;
}

TEST(JsonReader, WellKnownTypes) {
  const Case cases[] = {
      {R"({"published":"2024-01-31T12:00:00.5Z"})",
       "published { seconds: 1706702400 nanos: 500000000 }"},
      {R"({"published":"2024-01-31T13:00:00+01:00"})", "published { seconds: 1706702400 }"},
      {R"({"printings":["1970-01-01T00:00:01Z"]})", "printings { seconds: 1 }"},
      {R"({"readingTime":"-1.5s"})", "reading_time { seconds: -1 nanos: -500000000 }"},
      {R"({"subtitle":"","inPrint":false})", "subtitle { } in_print { }"},
      {R"({"subtitle":"x","inPrint":true})", R"(subtitle { value: "x" } in_print { value: true })"},
      {R"({"subtitle":null})", ""},
      {R"({"reviewed":"author.firstName,pages"})",
       R"(reviewed { paths: "author.first_name" paths: "pages" })"},
      {R"({"reviewed":""})", "reviewed { }"},
      {R"({"rating":null})", "rating { null_value: NULL_VALUE }"},
      {R"({"rating":4.5})", "rating { number_value: 4.5 }"},
      {R"({"rating":"good"})", R"(rating { string_value: "good" })"},
      {R"({"rating":[true]})", "rating { list_value { values { bool_value: true } } }"},
      {R"({"rating":{"a":null}})",
       R"(rating { struct_value { fields { key: "a" value { null_value: NULL_VALUE } } } })"},
      {R"({"extras":{"n":1}})", R"(extras { fields { key: "n" value { number_value: 1 } } })"},
      {R"({"awards":["x",null]})",
       R"(awards { values { string_value: "x" } values { null_value: NULL_VALUE } })"},
      {R"({"notes":[null,1]})", "notes { null_value: NULL_VALUE } notes { number_value: 1 }"},
  };
  for (const Case& c : cases) EXPECT_EQ(read(c.json), c.message) << c.json;
}

TEST(JsonReader, Any) {
  const Case cases[] = {
      {R"({"attachment":{"@type":"type.googleapis.com/bookstore.Page","number":3}})",
       R"(attachment { [type.googleapis.com/bookstore.Page] { number: 3 } })"},
      {R"({"attachment":{"title":"t","@type":"x/bookstore.Page"}})",
       R"(attachment { type_url: "x/bookstore.Page" value: "\022\001t" })"},
      {R"({"attachment":{"value":"1.5s","@type":"type.googleapis.com/google.protobuf.Duration"}})",
       R"(attachment { [type.googleapis.com/google.protobuf.Duration] { seconds: 1 nanos: 500000000 } })"},
      {R"({"attachment":{"@type":"type.googleapis.com/bookstore.Book","attachment":)"
       R"({"@type":"type.googleapis.com/bookstore.Page","number":1}}})",
       R"(attachment { [type.googleapis.com/bookstore.Book] { attachment )"
       R"({ [type.googleapis.com/bookstore.Page] { number: 1 } } } })"},
      {R"({"attachment":{}})", "attachment: an Any needs its type in the member '@type'"},
      {R"({"attachment":{"@type":7}})", "attachment: an Any needs its type in the member '@type'"},
      {R"({"attachment":{"@type":"x/nope.Nope"}})",
       "attachment: '@type' names no type that is known here: 'x/nope.Nope'"},
      {R"({"attachment":{"@type":"x/google.protobuf.Duration"}})",
       "attachment: an Any of this type needs the member 'value'"},
      {R"({"sequel":{"attachment":{"@type":"x/bookstore.Page","number":"x"}}})",
       "sequel.attachment.number: expected a 32-bit integer, not 'x'"},
  };
  for (const Case& c : cases) EXPECT_EQ(read(c.json), c.message) << c.json;
}

TEST(JsonReader, ErrorsNameTheField) {
  const Case cases[] = {
      {R"({"name":7})", "name: expected a string, not 7"},
      {R"({"pages":[{},{},{},{"title":true}]})", "pages[3].title: expected a string, not true"},
      {R"({"author":{"firstName":[]}})", "author.firstName: expected a string, not an array"},
      {R"({"author":"x"})", "author: expected an object, not 'x'"},
      {R"({"author":[]})", "author: expected a bookstore.Author, not an array"},
      {R"({"pages":{}})", "pages: expected an array, not an object"},
      {R"({"pages":7})", "pages: expected an array"},
      {R"({"tags":["a",["b"]]})", "tags[1]: expected a string, not an array"},
      {R"({"tags":["a",null]})", "tags[1]: expected a string, not null"},
      {R"({"stock":{"a":"x"}})", R"(stock["a"]: expected a 32-bit integer, not 'x')"},
      {R"({"stock":[]})", "stock: expected an object, not an array"},
      {R"({"stock":"x"})", "stock: expected an object"},
      {R"({"index":{"x":{}}})",
       R"(index["x"]: the key is wrong: expected a 32-bit integer, not 'x')"},
      {R"({"edition":-1})", "edition: expected a 32-bit unsigned integer, not -1"},
      {R"({"edition":4294967296})", "edition: expected a 32-bit unsigned integer, not 4294967296"},
      {R"({"edition":1.5})", "edition: expected a 32-bit unsigned integer, not 1.5"},
      {R"({"id":9223372036854775808})", "id: expected a 64-bit integer, not 9223372036854775808"},
      {R"({"id":""})", "id: expected a 64-bit integer, not ''"},
      {R"({"id":" 1"})", "id: expected a 64-bit integer, not ' 1'"},
      {R"({"price":"x"})", "price: expected a number, not 'x'"},
      {R"({"price":"nan"})", "price: expected a number, not 'nan'"},
      {R"({"weight":1e39})", "weight: expected a number, not 1e+39"},
      {R"({"soldOut":"true"})", "soldOut: expected true or false, not 'true'"},
      {R"({"cover":"?"})", "cover: expected bytes in base64, not '?'"},
      {R"({"genre":"novel"})",
       "genre: expected a value of bookstore.Genre (GENRE_UNSPECIFIED, NOVEL, SCIENCE_FICTION), "
       "not "
       "'novel'"},
      {R"({"published":"today"})",
       "published: expected a time such as '2024-01-31T12:00:00Z', not 'today'"},
      {R"({"readingTime":"1m"})", "readingTime: expected a duration such as '1.5s', not '1m'"},
      {R"({"published":{}})", "published: expected a google.protobuf.Timestamp, not an object"},
      {R"({"name":"a","name":"b"})", "name: is there twice"},
      {R"({"veryOdd":"a","odd":"b"})", "odd: is there twice"},
      {R"({"stock":{"a":1,"a":2}})", R"(stock["a"]: is there twice)"},
      {R"({"letter":"a","digit":1})",
       "digit: another field of the oneof 'shelf_mark' is there already"},
      {R"({"sequel":{"digit":0,"letter":""}})",
       "sequel.letter: another field of the oneof 'shelf_mark' is there already"},
      {R"({"reviewed":"pages,author.first_name"})",
       "reviewed: expected field paths in lowerCamelCase with commas between them, not "
       "'pages,author.first_name'"},
      {R"({"reviewed":7})",
       "reviewed: expected field paths in lowerCamelCase with commas between them, not 7"},
      {"[]", ": expected a bookstore.Book, not an array"},
      {"7", ": expected an object, not 7"},
  };
  for (const Case& c : cases) EXPECT_EQ(read(c.json), c.message) << c.json;
}

TEST(JsonReader, WhatIsNoJsonSaysWhere) {
  const Case cases[] = {
      {"", ": not valid JSON at line 1, column 1: "},
      {"{", ": not valid JSON at line 1, column 2: "},
      {"{}{}", ": not valid JSON at line 1, column 3: "},
      {"{\"author\":\n {\"firstName\": x}}",
       "author.firstName: not valid JSON at line 2, column 16: "},
      {"{'name':1}", ": not valid JSON at line 1, column 2: "},
      {"{\"name\":\"\xff\"}", "name: not valid JSON at line 1, column 10: "},
      {"{\"name\":\"a\",}", "name: not valid JSON at line 1, column 13: "},
      {"{\"id\":01}", "id: not valid JSON at line 1, column 8: "},
      {"{\"price\":1e400}", "price: not valid JSON: number overflow parsing '1e400'"},
  };
  for (const Case& c : cases)
    EXPECT_EQ(read(c.json).substr(0, strlen(c.message)), c.message) << c.json;
}

TEST(JsonReader, UnknownFields) {
  const std::string json = R"({"nope":{"a":[1,{"b":2}]},"name":"x","also":null,"more":[[]]})";
  EXPECT_EQ(read(json), R"(name: "x")");
  EXPECT_EQ(read(json, {.ignore_unknown = false}), "nope: no such field in bookstore.Book");
  EXPECT_EQ(read(R"({"pages":[{"nr":1}]})", {.ignore_unknown = false}),
            "pages[0].nr: no such field in bookstore.Page");
}

TEST(JsonReader, EnumsInAnyCase) {
  EXPECT_EQ(read(R"({"genre":"science-Fiction"})", {.any_case = true}), "genre: SCIENCE_FICTION");
}

TEST(JsonReader, BoundsTheDepth) {
  std::string deep = R"({"rating":)" + std::string(150, '[') + std::string(150, ']') + "}";
  EXPECT_NE(read(deep).find("more than 100 objects and arrays in each other"), std::string::npos);
  deep = R"({"nope":)" + std::string(150, '[') + std::string(150, ']') + "}";
  EXPECT_NE(read(deep).find("more than 100"), std::string::npos);
  std::string chain;
  for (int i = 0; i < 98; ++i) chain += R"({"sequel":)";
  EXPECT_NE(read(chain + "{}" + std::string(98, '}')).find("sequel"), std::string::npos);
}

TEST(JsonReader, FieldsOfAMessage) {
  const auto& create = *types().find("bookstore.CreateBookRequest")->GetDescriptor();
  const auto* book = create.FindFieldByName("book");
  const auto* author = book->message_type()->FindFieldByName("author");
  const auto read_into = [&](FieldChain chain, std::string_view json) {
    return read(json, {.chain = std::move(chain), .type = "bookstore.CreateBookRequest"});
  };
  EXPECT_EQ(read_into({book}, R"({"name":"x"})"), R"(book { name: "x" })");
  EXPECT_EQ(read_into({book, author}, R"({"firstName":"x"})"),
            R"(book { author { first_name: "x" } })");
  EXPECT_EQ(read_into({create.FindFieldByName("tags")}, R"(["a","b"])"), R"(tags: "a" tags: "b")");
  EXPECT_EQ(read_into({create.FindFieldByName("note")}, R"("a")"), R"(note: "a")");
  EXPECT_EQ(read_into({book}, "null"), "");
  EXPECT_EQ(read_into({book, author}, R"({"firstName":1})"),
            "book.author.firstName: expected a string, not 1");
  EXPECT_EQ(read_into({create.FindFieldByName("note")}, "{}"),
            "note: expected a string, not an object");
}

}  // namespace
}  // namespace weir::filters::transcoder
