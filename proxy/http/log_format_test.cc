#include "proxy/http/log_format.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "envoy/config/core/v3/substitution_format_string.pb.h"

namespace weir::http {
namespace {

class LogFormatTest : public testing::Test {
 protected:
  LogFormatTest() : request_(arena_), response_(arena_) {
    request_.method_text = "GET";
    request_.path = "/x?y=\"1\"\n";
    request_.authority = "a.example";
    info_.protocol = Protocol::kHttp11;
    info_.status = 404;
    info_.start_ns = 5'000'000;
    info_.end_ns = 8'000'000;
    info_.start_wall_us = 1'767'323'045'678'901;
    input_ = {&request_, &response_, nullptr, &info_, "oops", "w"};
  }

  std::optional<LogFormat> compile(const std::string& text_proto) {
    envoy::config::core::v3::SubstitutionFormatString config;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text_proto, &config));
    return LogFormat::compile(config, config::FieldPath::root("log_format"), diagnostics_);
  }
  std::string line(const std::string& text_proto) {
    const auto format = compile(text_proto);
    EXPECT_TRUE(format.has_value());
    std::string out;
    if (format) format->append_line(input_, out);
    return out;
  }
  std::string body(const std::string& text_proto) {
    std::string out;
    compile(text_proto)->append_body(input_, out);
    return out;
  }

  Arena arena_;
  RequestHead request_;
  ResponseHead response_;
  StreamInfo info_;
  FormatInput input_;
  config::Diagnostics diagnostics_;
};

constexpr char kJson[] = R"pb(
  json_format {
    fields {
      key: "status"
      value { string_value: "%RESPONSE_CODE%" }
    }
    fields {
      key: "path"
      value { string_value: "%REQ(:path)%" }
    }
    fields {
      key: "agent"
      value { string_value: "%REQ(user-agent)%" }
    }
    fields {
      key: "mix"
      value { string_value: "%PROTOCOL% %REQ(none)%" }
    }
    fields {
      key: "fixed"
      value { string_value: "100%%" }
    }
    fields {
      key: "number"
      value { number_value: 1.5 }
    }
    fields {
      key: "yes"
      value { bool_value: true }
    }
    fields {
      key: "nothing"
      value { null_value: NULL_VALUE }
    }
    fields {
      key: "nested"
      value {
        struct_value {
          fields {
            key: "b"
            value { string_value: "%DURATION%" }
          }
          fields {
            key: "a"
            value { string_value: "%ROUTE_NAME%" }
          }
        }
      }
    }
    fields {
      key: "list"
      value {
        list_value {
          values { string_value: "%ROUTE_NAME%" }
          values { string_value: "%REQ(:method)%" }
        }
      }
    }
  }
)pb";

TEST_F(LogFormatTest, JsonKeepsTypesAndSortsKeys) {
  EXPECT_EQ(line(kJson), R"({"agent":null,"fixed":"100%","list":[null,"GET"],"mix":"HTTP/1.1 -",)"
                         R"("nested":{"a":null,"b":3},"nothing":null,"number":1.5,)"
                         R"("path":"/x?y=\"1\"\n","status":404,"yes":true})"
                         "\n");
}

TEST_F(LogFormatTest, OmittingEmptyValuesLeavesMembersOut) {
  EXPECT_EQ(line(std::string(kJson) + "omit_empty_values: true"),
            R"({"fixed":"100%","list":["GET"],"mix":"HTTP/1.1 ","nested":{"b":3},"nothing":null,)"
            R"("number":1.5,"path":"/x?y=\"1\"\n","status":404,"yes":true})"
            "\n");
}

TEST_F(LogFormatTest, AnyBytesGiveOneValidJsonLine) {
  std::string hostile;
  for (int byte = 0; byte < 256; ++byte) hostile += static_cast<char>(byte);
  request_.path = hostile;
  request_.headers.add("user-agent", hostile);
  const std::string out = line(kJson);
  EXPECT_EQ(out.find('\n'), out.size() - 1);
  const auto parsed = nlohmann::json::parse(out, nullptr, false);
  ASSERT_FALSE(parsed.is_discarded());
  EXPECT_EQ(parsed["agent"], parsed["path"]);
}

TEST_F(LogFormatTest, TextIsEscapedInALineAndRawInABody) {
  const char* config = R"pb(text_format_source { inline_string: "\"%REQ(:path)%\"\n" })pb";
  EXPECT_EQ(line(config), "\"/x?y=\\\"1\\\"\\n\"\n");
  EXPECT_EQ(body(config), "\"/x?y=\"1\"\n\"\n");
  EXPECT_EQ(body(R"pb(text_format: "%LOCAL_REPLY_BODY%:%RESPONSE_CODE%")pb"), "oops:404");
}

TEST_F(LogFormatTest, TextMayOmitEmptyValues) {
  EXPECT_EQ(line(R"pb(text_format: "[%ROUTE_NAME%]")pb"), "[-]");
  EXPECT_EQ(line(R"pb(text_format: "[%ROUTE_NAME%]" omit_empty_values: true)pb"), "[]");
}

TEST_F(LogFormatTest, DefaultIsEnvoys) {
  std::string out;
  request_.path = "/x";
  LogFormat::envoy_default().append_line(input_, out);
  EXPECT_EQ(out,
            "[2026-01-02T03:04:05.678Z] \"GET /x HTTP/1.1\" 404 - 0 0 3 - \"-\" \"-\" \"-\" "
            "\"a.example\" \"-\"\n");
}

TEST_F(LogFormatTest, ContentTypes) {
  EXPECT_EQ(compile(R"pb(text_format: "x")pb")->content_type(), "text/plain");
  EXPECT_EQ(compile(kJson)->content_type(), "application/json");
  EXPECT_EQ(compile(R"pb(text_format: "x" content_type: "text/html")pb")->content_type(),
            "text/html");
}

TEST_F(LogFormatTest, TextFromTheEnvironment) {
  setenv("LOG_FORMAT_TEST", "%RESPONSE_CODE%!", 1);
  EXPECT_EQ(line(R"pb(text_format_source { environment_variable: "LOG_FORMAT_TEST" })pb"), "404!");
  EXPECT_FALSE(compile(R"pb(text_format_source { environment_variable: "NONE_SUCH" })pb"));
  EXPECT_TRUE(diagnostics_.has_errors());
}

TEST_F(LogFormatTest, EveryErrorIsReportedAtItsPlace) {
  EXPECT_FALSE(compile(R"pb(
    json_format {
      fields {
        key: "a"
        value { string_value: "%REQQ(x)%" }
      }
      fields {
        key: "b"
        value { list_value { values { string_value: "%DYNAMIC_METADATA(x)%" } } }
      }
    }
    formatters {
      name: "m"
      typed_config { type_url: "x/y.Z" }
    }
  )pb"));
  std::string all;
  for (const auto& item : diagnostics_.items())
    all += std::string(config::code_name(item.code)) + " " + item.field_path + "\n";
  EXPECT_EQ(all,
            "not-supported log_format.formatters[0]\n"
            "invalid-value log_format.json_format[\"a\"]\n"
            "not-supported log_format.json_format[\"b\"][0]\n");
}

TEST_F(LogFormatTest, KnownFormattersAreAccepted) {
  EXPECT_TRUE(compile(R"pb(
    text_format: "%REQ_WITHOUT_QUERY(:path)%"
    formatters {
      name: "q"
      typed_config {
        type_url: "type.googleapis.com/envoy.extensions.formatter."
                  "req_without_query.v3.ReqWithoutQuery"
      }
    }
  )pb"));
}

}  // namespace
}  // namespace weir::http
