// Configurations: what is refused and why, routes, descriptors in files.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "filters/grpc_json_transcoder/grpc_json_transcoder.h"
#include "filters/grpc_json_transcoder/testing/bookstore_set.h"
#include "filters/testing/filter_driver.h"

namespace weir::filters::transcoder {
namespace {

const http::FilterType kType = grpc_json_transcoder();

std::string write_file(const std::string& name, const std::string& bytes) {
  const char* folder = std::getenv("TEST_TMPDIR");
  const std::string path = std::string(folder != nullptr ? folder : ".") + "/" + name;
  std::ofstream(path, std::ios::binary) << bytes;
  return path;
}

TEST(TranscoderConfig, ReadsDescriptorsFromAFile) {
  const std::string bytes = bookstore_set().SerializeAsString();
  const std::string path = write_file("bookstore.pb", bytes);
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure("proto_descriptor: " + path + "\nservices: [bookstore.Bookstore]"))
      << driver.errors();
  EXPECT_EQ(driver.run({.method = "GET", .path = "/shelves"}).path,
            "/bookstore.Bookstore/ListShelves");
  // A reload sees by this that the same message means something else now.
  EXPECT_NE(driver.take_content_hash(), 0u);
}

TEST(TranscoderConfig, NamesWhatIsWrong) {
  const std::string no_set = write_file("no_set.pb", "text");
  const struct {
    std::string yaml;
    std::string error;
  } cases[] = {
      {"services: [x]", ": one of 'proto_descriptor', 'proto_descriptor_bin' is required"},
      {"proto_descriptor: /nowhere/x.pb\nservices: [x]", "proto_descriptor: '/nowhere/x.pb': "},
      {"proto_descriptor: " + no_set + "\nservices: [x]",
       "proto_descriptor: is no descriptor set (google.protobuf.FileDescriptorSet) with files"},
      {"proto_descriptor_bin: AAAA\nservices: [x]", "proto_descriptor_bin: is no descriptor set"},
      {bookstore_config("").replace(bookstore_config("").find("[bookstore.Bookstore]"), 21,
                                    "[bookstore.Bookstore, bookstore.Nope]"),
       "services[1]: the descriptors have no service 'bookstore.Nope'"},
      {bookstore_config("url_unescape_spec: 7"), "url_unescape_spec"},
      {bookstore_config("max_request_body_size: 0"), "max_request_body_size"},
  };
  for (const auto& c : cases) {
    FilterDriver driver(kType);
    EXPECT_FALSE(driver.configure(c.yaml)) << c.error;
    EXPECT_NE(driver.errors().find(c.error), std::string::npos) << driver.errors();
  }
}

TEST(TranscoderConfig, WithoutServicesItIsSwitchedOff) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure("proto_descriptor: /nowhere/x.pb")) << driver.errors();
  EXPECT_EQ(driver.run({.method = "GET", .path = "/shelves"}).path, "/shelves");
}

TEST(TranscoderConfig, ARouteHasItsOwn) {
  FilterDriver driver(kType);
  ASSERT_TRUE(driver.configure("proto_descriptor_bin: ''")) << driver.errors();
  ASSERT_TRUE(driver.configure_route(bookstore_config("auto_mapping: true"))) << driver.errors();
  EXPECT_EQ(driver.run({.path = "/bookstore.Bookstore/Unbound"}).method, "POST");
  EXPECT_EQ(driver.run({.method = "GET", .path = "/shelves"}).path,
            "/bookstore.Bookstore/ListShelves");

  FilterDriver off(kType);
  ASSERT_TRUE(off.configure(bookstore_config()));
  ASSERT_TRUE(off.configure_route("proto_descriptor_bin: ''"));
  EXPECT_EQ(off.run({.method = "GET", .path = "/shelves"}).path, "/shelves");
}

}  // namespace
}  // namespace weir::filters::transcoder
