#include "filters/grpc_json_transcoder/http_template.h"

#include <gtest/gtest.h>

namespace weir::filters::transcoder {
namespace {

// The template written out again, with all that it means: "/a/*/**:verb {x.y=0+1}".
std::string outline(std::string_view text) {
  const Result<HttpTemplate> parsed = parse_http_template(text);
  if (!parsed) return parsed.error().message;
  std::string out;
  for (const PathSegment& segment : parsed->segments) {
    out += '/';
    if (segment.kind == PathSegment::Kind::kLiteral) out += segment.text;
    if (segment.kind == PathSegment::Kind::kOne) out += "*";
    if (segment.kind == PathSegment::Kind::kMany) out += "**";
  }
  if (!parsed->verb.empty()) out += ":" + parsed->verb;
  for (const PathVariable& variable : parsed->variables) {
    out += " {";
    for (const std::string& name : variable.field) out += (out.back() == '{' ? "" : ".") + name;
    out += "=" + std::to_string(variable.first) + "+" + std::to_string(variable.count) + "}";
  }
  return out;
}

TEST(HttpTemplate, EveryForm) {
  const struct {
    const char* text;
    const char* outline;
  } cases[] = {
      {"/", ""},
      {"/shelves", "/shelves"},
      {"/v1/shelves.all/x", "/v1/shelves.all/x"},
      {"/shelves/*", "/shelves/*"},
      {"/files/**", "/files/**"},
      {"/files/**/meta", "/files/**/meta"},
      {"/shelves/{shelf}", "/shelves/* {shelf=1+1}"},
      {"/{book.author.name}/x", "/*/x {book.author.name=0+1}"},
      {"/{name=shelves/*/books/*}", "/shelves/*/books/* {name=0+4}"},
      {"/a/{name=**}", "/a/** {name=1+1}"},
      {"/a/{name=b/**}/c", "/a/b/**/c {name=1+2}"},
      {"/shelves/{shelf}:close", "/shelves/*:close {shelf=1+1}"},
      {"/shelves:list", "/shelves:list"},
      {"/{a}/{b=x}", "/*/x {a=0+1} {b=1+1}"},
      {"/:verb", ":verb"},
  };
  for (const auto& c : cases) EXPECT_EQ(outline(c.text), c.outline) << c.text;
}

TEST(HttpTemplate, SaysWhatIsWrongAndWhere) {
  const struct {
    const char* text;
    const char* error;
  } cases[] = {
      {"", "at character 1: a path begins with '/'"},
      {"shelves", "at character 1: a path begins with '/'"},
      {"/a//b", "at character 4: a segment is missing"},
      {"/a/", "at character 4: a segment is missing"},
      {"/{a", "at character 4: a '}' is missing"},
      {"/{}", "at character 3: a field's name is missing"},
      {"/{a.}", "at character 5: a field's name is missing"},
      {"/{a=}", "at character 5: a segment is missing"},
      {"/{a={b}}", "at character 5: a variable cannot stand in another one"},
      {"/**/*", "at character 6: only literals may follow '**'"},
      {"/{a=**}/{b}", "at character 11: only literals may follow '**'"},
      {"/a:", "at character 4: a verb is missing"},
      {"/a:b:c", "at character 5: ':' has no meaning here"},
      {"/a}", "at character 3: '}' has no meaning here"},
      {"/a*", "at character 3: '*' has no meaning here"},
      {"/a:b/c", "at character 5: '/' has no meaning here"},
  };
  for (const auto& c : cases) EXPECT_EQ(outline(c.text), c.error) << c.text;
}

}  // namespace
}  // namespace weir::filters::transcoder
