#include "filters/grpc_json_transcoder/bindings.h"

#include <gtest/gtest.h>

#include "filters/grpc_json_transcoder/testing/bookstore_set.h"
#include "google/api/annotations.pb.h"

namespace weir::filters::transcoder {
namespace {

using google::protobuf::FileDescriptorProto;
using google::protobuf::FileDescriptorSet;

class BindingsTest : public ::testing::Test {
 protected:
  void load(const Bindings::Options& options = {}) {
    types_ = Types::load(bookstore_set()).take();
    bindings_.emplace(options);
    const auto added = bindings_->add_service(*types_->service("bookstore.Bookstore"), *types_);
    ASSERT_TRUE(added.ok()) << added.error().message;
  }
  // "Method field=value ...", or "none".
  std::string find(std::string_view method, std::string_view path) const {
    const auto match = bindings_->find(method, path);
    if (!match) return "none";
    std::string out = match->binding->method->descriptor->name();
    for (const auto& [chain, text] : match->variables) out += " " + chain_text(*chain) + "=" + text;
    return out;
  }

  std::unique_ptr<const Types> types_;
  std::optional<Bindings> bindings_;
};

TEST_F(BindingsTest, FindsMethodsAndVariables) {
  load();
  const struct {
    const char* method;
    const char* path;
    const char* found;
  } cases[] = {
      {"GET", "/shelves", "ListShelves"},
      {"GET", "/shelves?x=/y", "ListShelves"},
      {"GET", "/shelves/", "ListShelves"},
      {"POST", "/shelves", "CreateShelf"},
      {"PUT", "/shelves", "none"},
      {"GET", "/shelves/7", "GetShelf shelf=7"},
      {"FETCH", "/shelf/7", "GetShelf shelf=7"},
      {"POST", "/shelves/7:close", "CloseShelf shelf=7"},
      {"POST", "/shelves/7:open", "none"},
      {"GET", "/shelves/7:open", "GetShelf shelf=7:open"},
      {"GET", "/shelves/:open", "GetShelf shelf=:open"},
      {"GET", "/shelves/a:b:close", "none"},
      {"GET", "/shelves/a/books/b", "GetBook name=shelves/a/books/b"},
      {"GET", "/books/a%20b", "GetBook name=a b"},
      {"GET", "/books/a%2Fb", "GetBook name=a/b"},
      {"GET", "/books/%zz%4", "GetBook name=%zz%4"},
      {"GET", "/books//x", "none"},
      {"GET", "/files/a/b/c", "GetBook name=a/b/c"},
      {"GET", "/files", "GetBook name="},
      {"GET", "/archive/a/b/meta", "GetBook name=a/b"},
      {"GET", "/archive/a/b", "none"},
      {"DELETE", "/shelves/1/books/2", "DeleteBook shelf=1 name=2"},
      {"PUT", "/authors/Eco/books", "CreateBook book.author.last_name=Eco"},
      {"OPTIONS", "/any", "Search"},
      {"POST", "/bookstore.Bookstore/Unbound", "none"},
      {"GET", "*", "none"},
      {"GET", "", "none"},
      {"GET", "/", "none"},
  };
  for (const auto& c : cases) EXPECT_EQ(find(c.method, c.path), c.found) << c.path;
}

TEST_F(BindingsTest, UnescapesSegmentsAsTold) {
  const std::string several = "/files/%2f%23/%20%2523";
  load({.unescape = Unescape::kAllButReserved});
  EXPECT_EQ(find("GET", several), "GetBook name=%2f%23/ %23");
  EXPECT_EQ(find("GET", "/books/%2f%23"), "GetBook name=/#");
  load({.unescape = Unescape::kAllButSlash});
  EXPECT_EQ(find("GET", several), "GetBook name=%2f#/ %23");
  load({.unescape = Unescape::kAll});
  EXPECT_EQ(find("GET", several), "GetBook name=/#/ %23");
}

TEST_F(BindingsTest, UnregisteredVerbs) {
  load({.match_unregistered_verbs = true});
  EXPECT_EQ(find("GET", "/shelves/7:open"), "none");
  EXPECT_EQ(find("POST", "/shelves/7:close"), "CloseShelf shelf=7");
}

TEST_F(BindingsTest, AutoMapping) {
  load({.auto_mapping = true});
  EXPECT_EQ(find("POST", "/bookstore.Bookstore/Unbound"), "Unbound");
  EXPECT_EQ(find("POST", "/bookstore.Bookstore/GetShelf"), "none");
}

// ---- rules that make no sense ----

// The bookstore with one changed rule; the error of its compilation.
std::string error_of(const std::string& method, void (*change)(google::api::HttpRule&)) {
  FileDescriptorSet set = bookstore_set();
  FileDescriptorProto& file = *set.mutable_file(set.file_size() - 1);
  for (auto& candidate : *file.mutable_service(0)->mutable_method())
    if (candidate.name() == method)
      change(*candidate.mutable_options()->MutableExtension(google::api::http));
  const auto types = Types::load(set).take();
  Bindings bindings({});
  const auto added = bindings.add_service(*types->service("bookstore.Bookstore"), *types);
  return added.ok() ? "fine" : added.error().message;
}

TEST(BindingErrors, NameMethodAndRule) {
  using google::api::HttpRule;
  const struct {
    void (*change)(HttpRule&);
    const char* error;
  } cases[] = {
      {[](HttpRule&) {}, "fine"},
      {[](HttpRule& r) { r.set_get("/shelves/{shelf"); },
       "bookstore.Bookstore.GetShelf: path '/shelves/{shelf': at character 16: a '}' is missing"},
      {[](HttpRule& r) { r.set_get("/shelves/{nope}"); },
       "bookstore.Bookstore.GetShelf: the path's 'nope' is no field of bookstore.GetShelfRequest"},
      {[](HttpRule& r) { r.set_body("nope"); },
       "bookstore.Bookstore.GetShelf: body 'nope' is no field of bookstore.GetShelfRequest"},
      {[](HttpRule& r) { r.set_response_body("a.b"); },
       "bookstore.Bookstore.GetShelf: response_body 'a.b' is no field of bookstore.Shelf"},
      {[](HttpRule& r) { r.clear_pattern(); },
       "bookstore.Bookstore.GetShelf: the rule has no pattern: set get, put, post, delete, patch "
       "or "
       "custom"},
      {[](HttpRule& r) { r.set_get("/shelves"); },
       "bookstore.Bookstore.GetShelf: has the same path and HTTP method as "
       "bookstore.Bookstore.ListShelves"},
      {[](HttpRule& r) {
         r.mutable_additional_bindings(0)->add_additional_bindings()->set_get("/x");
       },
       "bookstore.Bookstore.GetShelf: additional_bindings cannot have additional_bindings "
       "themselves"},
  };
  for (const auto& c : cases) EXPECT_EQ(error_of("GetShelf", c.change), c.error);
  EXPECT_EQ(error_of("Echo", [](HttpRule& r) { r.set_post("/{pages}"); }),
            "bookstore.Bookstore.Echo: the path's 'pages' is no field for one text");
}

TEST(TypesTest, SayWhatIsWrongWithDescriptors) {
  FileDescriptorSet set;
  FileDescriptorProto& file = *set.add_file();
  file.set_name("a.proto");
  file.add_dependency("b.proto");
  EXPECT_EQ(Types::load(set).error().message,
            "a.proto imports b.proto, which is not in the set: call protoc with --include_imports");
  file.set_dependency(0, "a.proto");
  EXPECT_EQ(Types::load(set).error().message, "a.proto imports itself");
  file.set_dependency(0, "google/protobuf/timestamp.proto");
  auto& field = *file.add_message_type()->add_field();
  file.mutable_message_type(0)->set_name("M");
  field.set_name("f");
  field.set_number(1);
  field.set_type_name(".Nope");
  EXPECT_NE(Types::load(set).error().message.find("a.proto: M.f"), std::string::npos);
  field.set_type_name(".google.protobuf.Timestamp");
  EXPECT_TRUE(Types::load(set).ok());
}

}  // namespace
}  // namespace weir::filters::transcoder
