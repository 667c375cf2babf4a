#include "proxy/http/text_source.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "envoy/config/core/v3/base.pb.h"

namespace weir::http {
namespace {

constexpr size_t kMaxBytes = 10;

struct Outcome {
  std::optional<std::string> text;
  std::string error;  // "path: message"
  uint64_t content_hash = 0;
};

Outcome read(const std::string& source) {
  envoy::config::core::v3::DataSource message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(source, &message)) << source;
  config::Diagnostics diagnostics;
  Outcome out;
  out.text = read_text_source(message, config::FieldPath::root("body"), kMaxBytes, diagnostics);
  if (diagnostics.has_errors())
    out.error = diagnostics.items()[0].field_path + ": " + diagnostics.items()[0].message;
  out.content_hash = diagnostics.take_content_hash();
  return out;
}

std::string file_with(const std::string& text) {
  const std::string path = testing::TempDir() + "/text_source";
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

TEST(TextSource, InPlace) {
  EXPECT_EQ(read("inline_string: 'a'").text, "a");
  EXPECT_EQ(read("inline_bytes: 'b\\000c'").text, std::string("b\0c", 3));
  EXPECT_EQ(read("inline_string: ''").text, "");
}

TEST(TextSource, FromTheEnvironment) {
  setenv("TEXT_SOURCE_TEST", "from there", 1);
  EXPECT_EQ(read("environment_variable: 'TEXT_SOURCE_TEST'").text, "from there");
  EXPECT_EQ(read("environment_variable: 'NONE_SUCH'").error,
            "body.environment_variable: the environment has no variable 'NONE_SUCH'");
}

TEST(TextSource, FromAFileWhoseBytesAreNoted) {
  const Outcome one = read("filename: '" + file_with("one\n") + "'");
  EXPECT_EQ(one.text, "one\n");
  EXPECT_NE(one.content_hash, read("filename: '" + file_with("two\n") + "'").content_hash);
  EXPECT_EQ(one.content_hash, read("filename: '" + file_with("one\n") + "'").content_hash);
  EXPECT_EQ(read("filename: '" + file_with("") + "'").text, "");
}

TEST(TextSource, FilesThatCannotBe) {
  const Outcome missing = read("filename: '/no/such'");
  EXPECT_EQ(missing.text, std::nullopt);
  EXPECT_EQ(missing.error, "body.filename: '/no/such' cannot be opened: No such file or directory");
  const std::string path = file_with("12345678901");
  EXPECT_EQ(read("filename: '" + path + "'").error,
            "body.filename: '" + path + "' has more than the 10 bytes allowed");
}

TEST(TextSource, WhatIsMissingOrNotSupported) {
  EXPECT_EQ(read("").error,
            "body: one of filename, inline_string, inline_bytes and environment_variable must be "
            "set");
  EXPECT_NE(read("filename: '" + file_with("x") + "' watched_directory { path: '/' }")
                .error.find("body.watched_directory: 'watched_directory' exists in Envoy"),
            std::string::npos);
}

}  // namespace
}  // namespace weir::http
