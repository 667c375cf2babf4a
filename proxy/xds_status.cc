#include "proxy/xds_status.h"

#include <sys/socket.h>
#include <unistd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "proxy/http/time_format.h"

namespace weir {
namespace {

using Json = nlohmann::ordered_json;

// Turns times of the loop's clock into text.
class Times {
 public:
  Times(int64_t now_ms, int64_t wall_us) : now_ms_(now_ms), wall_us_(wall_us) {}

  Json text(int64_t at_ms) const {
    if (at_ms == 0) return nullptr;
    static const http::TimeFormat kFormat =
        http::TimeFormat::compile(http::TimeFormat::kDefault, http::TimeFormat::Zone::kUtc).take();
    char out[http::TimeFormat::kMaxTextBytes];
    return std::string(out, kFormat.write(wall_us_ - (now_ms_ - at_ms) * 1000, out));
  }

 private:
  int64_t now_ms_;
  int64_t wall_us_;
};

std::string state_of(const xds::TypeReport& type) {
  if (type.sent_version.empty()) return "nothing sent";
  if (type.waiting) return "waiting";
  return type.nacked_version.empty() ? "ACK" : "NACK";
}

Json type_json(const xds::TypeReport& type, const xds::Catalogue& catalogue, const Times& times) {
  Json json;
  json["state"] = state_of(type);
  json["wildcard"] = type.wildcard;
  json["names"] = type.names;
  json["current"] = type.sent_version == catalogue.version(type.type);
  json["sent"] = type.sent_version;
  json["sent_at"] = times.text(type.sent_ms);
  json["acked"] = type.acked_version;
  json["acked_at"] = times.text(type.acked_ms);
  json["held_removals"] = type.held_removals;
  if (type.nacked_version.empty()) return json;
  json["nacked"] = type.nacked_version;
  json["nacked_at"] = times.text(type.nacked_ms);
  json["error"] = type.error;
  return json;
}

Json stream_json(const XdsStreamReport& stream, const xds::Catalogue& catalogue,
                 const Times& times) {
  Json json;
  json["node"] = stream.node.id;
  json["cluster"] = stream.node.cluster;
  json["user_agent"] = stream.node.user_agent;
  json["peer"] = stream.peer;
  json["protocol"] = stream.protocol;
  json["since"] = times.text(stream.since_ms);
  if (!stream.unknown_type.empty()) json["unknown_type"] = stream.unknown_type;
  json["types"] = Json::object();
  for (const xds::TypeReport& type : stream.types)
    json["types"][std::string(xds::short_name(type.type))] = type_json(type, catalogue, times);
  return json;
}

Json types_json(const xds::Catalogue& catalogue) {
  Json json = Json::object();
  for (size_t i = 0; i < xds::kResourceTypes; ++i) {
    const auto type = static_cast<xds::ResourceType>(i);
    if (catalogue.of(type).empty()) continue;
    Json& of = json[std::string(xds::short_name(type))];
    of["version"] = catalogue.version(type);
    of["resources"] = Json::array();
    for (const auto& [name, served] : catalogue.of(type))
      of["resources"].push_back(
          {{"name", name}, {"version", served.resource.version}, {"file", served.file}});
  }
  return json;
}

Json problem_json(const config::Diagnostic& item) {
  return {{"severity", item.severity == config::Severity::kError ? "error" : "warning"},
          {"code", config::code_name(item.code)},
          {"message", item.message},
          {"file", item.file},
          {"line", item.line},
          {"column", item.column}};
}

}  // namespace

std::string xds_status_json(const XdsStatus& status, int64_t now_ms, int64_t wall_us) {
  const Times times(now_ms, wall_us);
  Json json;
  json["directory"] = status.directory;
  json["version"] = status.catalogue->version();
  json["since"] = times.text(status.catalogue_since_ms);
  json["pushes"] = status.pushes;
  json["files"] = status.catalogue->files();
  json["types"] = types_json(*status.catalogue);
  json["problems"] = Json::array();
  for (const config::Diagnostic& item : status.problems)
    json["problems"].push_back(problem_json(item));
  json["clients"] = Json::array();
  for (const XdsStreamReport& stream : status.streams)
    json["clients"].push_back(stream_json(stream, *status.catalogue, times));
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

// ---- the page ----

class XdsStatusPage::Stream : public http::ServerStreamEvents {
 public:
  Stream(XdsStatusPage& page, http::ServerStream& stream)
      : page_(page), stream_(stream), head_(arena_) {}

  http::RequestHead& request_head() override { return head_; }
  void on_request_head(bool end) override {
    if (end) answer();
  }
  void on_bad_request(uint16_t status, std::string_view details) override {
    stream_.close_after_response();
    send(status, std::string(details) + "\n");
  }
  void on_request_body(std::string_view /*bytes*/, bool end) override {
    if (end) answer();
  }
  void on_request_trailers(http::HeaderMap& /*trailers*/) override { answer(); }
  void on_downstream_reset(http::ResetReason /*reason*/, std::string_view /*details*/) override {
    leave();
  }
  void on_downstream_full(bool /*full*/) override {}

  // Its arena holds what is still to be written: it lives to the end of the turn.
  void leave() { page_.loop_.retire(std::unique_ptr<Stream>(this)); }

 private:
  void answer() {
    if (head_.method != http::Method::kGet) return send(405, "GET is what is here\n");
    if (head_.path_without_query() != "/") return send(404, "the status is at /\n");
    send(200, page_.page_());
  }

  void send(uint16_t status, const std::string& body) {
    http::ResponseHead head(arena_);
    head.status = status;
    head.content_length = static_cast<int64_t>(body.size());
    head.headers.add("content-type", status == 200 ? "application/json" : "text/plain");
    head.headers.add("content-length", "");
    head.headers.add("cache-control", "no-cache, max-age=0");
    head.headers.add("x-content-type-options", "nosniff");
    if (status == 405) head.headers.add("allow", "GET");
    stream_.send_head(head, false);
    stream_.send_body(arena_.copy(body), true);
    leave();
  }

  XdsStatusPage& page_;
  http::ServerStream& stream_;
  Arena arena_;
  http::RequestHead head_;
};

XdsStatusPage::XdsStatusPage(net::Loop& loop, int listening, std::function<std::string()> page)
    : loop_(loop), page_(std::move(page)), listening_(listening) {
  options_.send_date = false;
  options_.idle_timeout_ms = 60'000;
  options_.request_headers_timeout_ms = 10'000;
  watch_.start_level(loop_, listening_, *this);
}

XdsStatusPage::~XdsStatusPage() {
  watch_.stop();
  close(listening_);
  connections_.close_all();
}

void XdsStatusPage::on_ready(uint8_t /*ready*/) {
  const int fd = accept4(listening_, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  if (connections_.size() >= kMaxConnections) {
    close(fd);
    return;
  }
  http::Arrival arrival;
  arrival.socket = {fd};
  arrival.id = ++ids_;
  connections_.add(std::make_unique<http::H1Server>(loop_, *this, options_))
      .start(std::move(arrival));
}

http::ServerStreamEvents& XdsStatusPage::begin_stream(http::ServerConnection& /*connection*/,
                                                      http::ServerStream& stream) {
  return *new Stream(*this, stream);
}

void XdsStatusPage::abandon_stream(http::ServerStreamEvents& events) {
  static_cast<Stream&>(events).leave();
}

}  // namespace weir
