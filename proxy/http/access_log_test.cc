#include "proxy/http/access_log.h"

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"

namespace weir::http {
namespace {

using envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

class AccessLogTest : public testing::Test {
 protected:
  AccessLogTest()
      : request_(arena_), writers_({.workers = 1, .flush_interval_ms = 60'000}, registry_) {
    file_ = testing::TempDir() + "access_log_test_" +
            testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove(file_);
    request_.method_text = "GET";
    request_.path = "/";
    info_.protocol = Protocol::kHttp11;
    info_.status = 200;
    info_.start_ns = 1'000'000;
    info_.end_ns = 21'000'000;
    input_.request = &request_;
    input_.info = &info_;
  }

  std::unique_ptr<const AccessLogs> compile(const std::string& logs) {
    HttpConnectionManager config;
    EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(logs, &config));
    const auto runtime = [this](std::string_view key) {
      const auto found = runtime_.find(key);
      return found == runtime_.end() ? std::nullopt : std::optional<double>(found->second);
    };
    return AccessLogs::compile(config.access_log(), config::FieldPath::root("access_log"),
                               diagnostics_, writers_, runtime);
  }

  // A log to `file_` with that filter, or none.
  std::string file_log(const std::string& filter, const std::string& format = R"(
        log_format { text_format: "%RESPONSE_CODE%\n" })") {
    return "access_log { name: 'f' " + filter +
           " typed_config { [type.googleapis.com/"
           "envoy.extensions.access_loggers.file.v3.FileAccessLog] { path: '" +
           file_ + "' " + format + " } } }";
  }

  bool logged(const AccessLogs& logs, uint64_t random = 0) {
    const size_t before = written().size();
    std::string scratch;
    logs.log(input_, 0, random, scratch);
    return written().size() != before;
  }
  bool passes(const std::string& filter, uint64_t random = 0) {
    const auto logs = compile(file_log("filter { " + filter + " }"));
    EXPECT_NE(logs, nullptr);
    return logs != nullptr && logged(*logs, random);
  }

  // What is in the file once the writer has stopped, or gone to it so far.
  std::string written() {
    writers_.open(file_).value()->take(taken_);
    return taken_;
  }

  std::string errors() {
    std::string all;
    for (const auto& item : diagnostics_.items())
      all += std::string(config::code_name(item.code)) + " " + item.field_path + "\n";
    return all;
  }

  Arena arena_;
  RequestHead request_;
  StreamInfo info_;
  FormatInput input_;
  stats::Registry registry_;
  stats::LogWriters writers_;
  config::Diagnostics diagnostics_;
  std::string file_;
  std::map<std::string, double, std::less<>> runtime_;
  std::string taken_;
};

TEST_F(AccessLogTest, WritesToItsFile) {
  const auto logs = compile(file_log(""));
  ASSERT_NE(logs, nullptr);
  EXPECT_FALSE(logs->empty());
  std::string scratch;
  logs->log(input_, 0, 0, scratch);
  writers_.start();
  writers_.stop();
  std::stringstream content;
  content << std::ifstream(file_).rdbuf();
  EXPECT_EQ(content.str(), "200\n");
}

TEST_F(AccessLogTest, NoLogsIsEmpty) {
  const auto logs = compile("");
  ASSERT_NE(logs, nullptr);
  EXPECT_TRUE(logs->empty());
}

TEST_F(AccessLogTest, OldAndDefaultFormats) {
  std::string scratch;
  for (const char* format :
       {"format: 'old %RESPONSE_CODE%\\n'", "format: ''", "",
        "typed_json_format { fields { key: 'c' value { string_value: '%RESPONSE_CODE%' } } }",
        "json_format { fields { key: 'c' value { string_value: '%RESPONSE_CODE%' } } }"}) {
    const auto logs = compile(file_log("", format));
    ASSERT_NE(logs, nullptr) << format;
    logs->log(input_, 0, 0, scratch);
  }
  const std::string default_line =
      "[1970-01-01T00:00:00.000Z] \"GET / HTTP/1.1\" 200 - 0 0 20 - \"-\" \"-\" \"-\" \"-\" "
      "\"-\"\n";
  EXPECT_EQ(written(), "old 200\n" + default_line + default_line + "{\"c\":200}\n{\"c\":200}\n");
}

TEST_F(AccessLogTest, StreamsAreAccepted) {
  EXPECT_NE(compile(R"pb(
              access_log {
                typed_config {
                  [type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StdoutAccessLog] {}
                }
              }
              access_log {
                typed_config {
                  [type.googleapis.com/envoy.extensions.access_loggers.stream.v3.StderrAccessLog] {
                    log_format { text_format: "x" }
                  }
                }
              }
            )pb"),
            nullptr);
}

TEST_F(AccessLogTest, StatusAndDurationFilters) {
  const auto status = [&](const std::string& op, int value) {
    return passes("status_code_filter { comparison { op: " + op +
                  " value { default_value: " + std::to_string(value) + " } } }");
  };
  EXPECT_TRUE(status("EQ", 200));
  EXPECT_FALSE(status("EQ", 201));
  EXPECT_TRUE(status("LE", 200));
  EXPECT_FALSE(status("GE", 400));
  EXPECT_TRUE(passes("duration_filter { comparison { op: GE value { default_value: 20 } } }"));
  EXPECT_FALSE(passes("duration_filter { comparison { op: GE value { default_value: 21 } } }"));
}

TEST_F(AccessLogTest, HealthCheckFlagAndHeaderFilters) {
  EXPECT_TRUE(passes("not_health_check_filter {}"));
  info_.health_check = true;
  EXPECT_FALSE(passes("not_health_check_filter {}"));
  EXPECT_FALSE(passes("response_flag_filter {}"));
  info_.flags = kNoHealthyUpstream;
  EXPECT_TRUE(passes("response_flag_filter {}"));
  EXPECT_TRUE(passes("response_flag_filter { flags: 'UH' flags: 'NR' }"));
  EXPECT_FALSE(passes("response_flag_filter { flags: 'NR' }"));
  const char* header = "header_filter { header { name: 'x-log' present_match: true } }";
  EXPECT_FALSE(passes(header));
  request_.headers.add("x-log", "1");
  EXPECT_TRUE(passes(header));
}

TEST_F(AccessLogTest, GrpcStatusFilter) {
  const char* unavailable = "grpc_status_filter { statuses: UNAVAILABLE statuses: NOT_FOUND }";
  const char* other = "grpc_status_filter { statuses: UNAVAILABLE exclude: true }";
  EXPECT_FALSE(passes(unavailable)) << "200 stands for UNKNOWN";
  EXPECT_TRUE(passes("grpc_status_filter { statuses: UNKNOWN }"));
  EXPECT_TRUE(passes(other));
  info_.status = 503;
  EXPECT_TRUE(passes(unavailable));
  EXPECT_FALSE(passes(other));
  HeaderMap trailers(request_.headers.arena());
  input_.trailers = &trailers;
  trailers.add("grpc-status", "5");
  EXPECT_TRUE(passes(unavailable));
  EXPECT_TRUE(passes(other));
  trailers.set("grpc-status", "46");
  EXPECT_FALSE(passes(unavailable)) << "46 is 14 in five bits";
}

TEST_F(AccessLogTest, TheRuntimeSaysOtherNumbers) {
  const char* half = "runtime_filter { runtime_key: 'k' percent_sampled { numerator: 50 } }";
  const char* errors =
      "status_code_filter { comparison { op: GE value { default_value: 500 runtime_key: 's' } } }";
  const char* slow =
      "duration_filter { comparison { op: GE value { default_value: 21 runtime_key: 'd' } } }";
  EXPECT_FALSE(passes(half, 70));
  EXPECT_FALSE(passes(errors));
  EXPECT_FALSE(passes(slow));
  runtime_ = {{"k", 71}, {"s", 200}, {"d", 20}};
  EXPECT_TRUE(passes(half, 70));
  EXPECT_FALSE(passes(half, 71));
  EXPECT_TRUE(passes(errors));
  EXPECT_TRUE(passes(slow));
}

TEST_F(AccessLogTest, RuntimeFilterSamples) {
  const char* half = "runtime_filter { runtime_key: 'k' percent_sampled { numerator: 50 } }";
  EXPECT_TRUE(passes(half, 149));
  EXPECT_FALSE(passes(half, 150));
  EXPECT_FALSE(passes("runtime_filter { runtime_key: 'k' }"));
  EXPECT_TRUE(
      passes("runtime_filter { runtime_key: 'k' "
             "percent_sampled { numerator: 7 denominator: TEN_THOUSAND } }",
             10'006));
  info_.request_id = "5e9d6c4e-2f0a-4b6e-9c34-8f7e4e3b2a10";
  EXPECT_EQ(passes(half, 0), passes(half, 99)) << "the id decides, not chance";
  const char* independent =
      "runtime_filter { runtime_key: 'k' percent_sampled { numerator: 50 } "
      "use_independent_randomness: true }";
  EXPECT_NE(passes(independent, 0), passes(independent, 99));
}

TEST_F(AccessLogTest, AndOrFilters) {
  const std::string ok =
      "filters { status_code_filter { comparison { value { default_value: 200 } "
      "} } } ";
  const std::string bad =
      "filters { status_code_filter { comparison { value { default_value: 500 } "
      "} } } ";
  EXPECT_TRUE(passes("and_filter { " + ok + ok + "}"));
  EXPECT_FALSE(passes("and_filter { " + ok + bad + "}"));
  EXPECT_TRUE(passes("or_filter { " + bad + ok + "}"));
  EXPECT_FALSE(passes("or_filter { " + bad + bad + "}"));
}

TEST_F(AccessLogTest, EverythingWrongIsReported) {
  EXPECT_EQ(compile(file_log("filter { traceable_filter {} }", "format: '%NOPE%'") +
                    file_log("filter { and_filter { filters { metadata_filter {} } "
                             "filters { response_flag_filter { flags: 'XX' } } } }") +
                    "access_log { typed_config { type_url: 'a/b.C' } }" +
                    "access_log { typed_config { [type.googleapis.com/"
                    "envoy.extensions.access_loggers.file.v3.FileAccessLog] "
                    "{ path: '/nonexistent/x' } } }"),
            nullptr);
  EXPECT_EQ(errors(),
            "not-supported access_log[0].filter.traceable_filter\n"
            "invalid-value access_log[0].typed_config.format\n"
            "not-supported access_log[1].filter.and_filter.filters[0].metadata_filter\n"
            "not-supported access_log[1].filter.and_filter.filters[1].response_flag_filter."
            "flags[0]\n"
            "not-supported access_log[2].typed_config\n"
            "io access_log[3].typed_config.path\n");
}

}  // namespace
}  // namespace weir::http
