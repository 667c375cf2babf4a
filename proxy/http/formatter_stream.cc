// Commands about the request as a whole, and about the process.

#include <openssl/rand.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "proxy/base/uuid.h"
#include "proxy/http/formatter_part.h"

namespace weir::http {
namespace {

template <uint64_t StreamInfo::*kMember>
FormatValue read_count(const Format::Part&, const FormatInput& in, FormatScratch& scratch) {
  return scratch.number(in.info == nullptr ? uint64_t{0} : in.info->*kMember);
}

template <std::string_view StreamInfo::*kMember>
FormatValue read_text(const Format::Part&, const FormatInput& in, FormatScratch&) {
  if (in.info == nullptr) return FormatValue::missing();
  return FormatValue::of_nonempty(in.info->*kMember);
}

FormatValue read_protocol(const Format::Part&, const FormatInput& in, FormatScratch&) {
  if (in.info == nullptr || !in.info->protocol) return FormatValue::missing();
  return FormatValue::of(protocol_text(*in.info->protocol));
}

FormatValue read_upstream_protocol(const Format::Part&, const FormatInput& in, FormatScratch&) {
  if (in.info == nullptr || !in.info->upstream_protocol) return FormatValue::missing();
  return FormatValue::of(protocol_text(*in.info->upstream_protocol));
}

FormatValue read_status(const Format::Part&, const FormatInput& in, FormatScratch& scratch) {
  return scratch.number(uint64_t{in.info == nullptr ? uint16_t{0} : in.info->status});
}

FormatValue read_attempts(const Format::Part&, const FormatInput& in, FormatScratch& scratch) {
  return scratch.number(uint64_t{in.info == nullptr ? 0 : in.info->attempts});
}

// Head and body together; the framing of a chunked body is not counted.
template <uint64_t StreamInfo::*kHead, uint64_t StreamInfo::*kBody>
FormatValue read_wire_bytes(const Format::Part&, const FormatInput& in, FormatScratch& scratch) {
  if (in.info == nullptr) return scratch.number(uint64_t{0});
  return scratch.number(in.info->*kHead + in.info->*kBody);
}

// What stats call the cluster.
FormatValue read_cluster(const Format::Part&, const FormatInput& in, FormatScratch&) {
  if (in.info == nullptr) return FormatValue::missing();
  const StreamInfo& info = *in.info;
  return FormatValue::of_nonempty(info.cluster_alias.empty() ? info.cluster : info.cluster_alias);
}

FormatValue read_upstream_failure(const Format::Part&, const FormatInput& in,
                                  FormatScratch& scratch) {
  if (in.info == nullptr) return FormatValue::missing();
  return scratch.without_spaces(in.info->upstream_failure);
}

enum SpaceOption : uint8_t { kReplaceSpaces, kKeepSpaces };

Result<void> parse_details(std::string_view parameter, Format::Part& part) {
  if (parameter == "ALLOW_WHITESPACES") {
    part.options[0] = kKeepSpaces;
  } else if (!parameter.empty()) {
    return Error{"bad-format", "the only parameter is ALLOW_WHITESPACES"};
  }
  return {};
}

FormatValue read_details(const Format::Part& part, const FormatInput& in, FormatScratch& scratch) {
  if (in.info == nullptr || in.info->details.empty()) return FormatValue::missing();
  const std::string_view details = in.info->details.substr(0, FormatScratch::kBytes);
  if (part.options[0] == kKeepSpaces || details.find_first_of(" \t") == std::string_view::npos)
    return FormatValue::of(details);
  std::transform(details.begin(), details.end(), scratch.bytes,
                 [](char c) { return c == ' ' || c == '\t' ? '_' : c; });
  return FormatValue::of({scratch.bytes, details.size()});
}

template <std::string_view FlagName::*kName>
FormatValue read_flags(const Format::Part&, const FormatInput& in, FormatScratch& scratch) {
  if (in.info == nullptr || in.info->flags == 0) return FormatValue::of("-");
  char* at = scratch.bytes;
  for (size_t i = 0; i < kFlagCount; ++i) {
    const FlagName& flag = flag_name(i);
    if ((in.info->flags & flag.flag) == 0) continue;
    if (at != scratch.bytes) *at++ = ',';
    const std::string_view name = flag.*kName;
    std::memcpy(at, name.data(), name.size());
    at += name.size();
  }
  return FormatValue::of({scratch.bytes, static_cast<size_t>(at - scratch.bytes)});
}

// What the request's id is, or the number of the stream when it has none.
FormatValue read_stream_id(const Format::Part&, const FormatInput& in, FormatScratch& scratch) {
  if (in.info == nullptr) return FormatValue::missing();
  if (!in.info->request_id.empty()) return FormatValue::of(in.info->request_id);
  return FormatValue::of(scratch.number(in.info->stream_id).text);
}

// Another one wherever it stands.
FormatValue read_unique_id(const Format::Part&, const FormatInput&, FormatScratch& scratch) {
  uint64_t random[2];
  RAND_bytes(reinterpret_cast<uint8_t*>(random), sizeof(random));
  static_assert(kUuidBytes <= FormatScratch::kBytes);
  write_uuid4(random[0], random[1], scratch.bytes);
  return FormatValue::of({scratch.bytes, kUuidBytes});
}

FormatValue read_log_type(const Format::Part&, const FormatInput& in, FormatScratch&) {
  return FormatValue::of(in.log_type);
}

// Weir refuses virtual clusters in a configuration, so no request has one.
FormatValue read_virtual_cluster(const Format::Part&, const FormatInput&, FormatScratch&) {
  return FormatValue::missing();
}

FormatValue read_local_reply_body(const Format::Part&, const FormatInput& in, FormatScratch&) {
  return FormatValue::of(in.local_reply_body);
}

FormatValue read_worker(const Format::Part&, const FormatInput& in, FormatScratch&) {
  return FormatValue::of_nonempty(in.worker_name);
}

FormatValue read_own_text(const Format::Part& part, const FormatInput&, FormatScratch&) {
  return FormatValue::of_nonempty(part.text);
}

// Read once: neither changes while the process runs.
Result<void> parse_hostname(std::string_view, Format::Part& part) {
  char name[256] = {};
  if (gethostname(name, sizeof(name) - 1) == 0) part.text = name;
  return {};
}

Result<void> parse_environment(std::string_view parameter, Format::Part& part) {
  if (parameter.empty()) return Error{"bad-format", "the variable's name is empty"};
  const char* value = std::getenv(std::string(parameter).c_str());
  if (value != nullptr) part.text = value;
  return {};
}

constexpr auto kParameter = CommandSyntax::kParameter;
constexpr auto kOptional = CommandSyntax::kOptionalParameter;
constexpr auto kPlain = CommandSyntax::kPlain;
using Info = StreamInfo;

constexpr CommandSpec kCommands[] = {
    {"PROTOCOL", read_protocol},
    {"RESPONSE_CODE", read_status},
    {"RESPONSE_CODE_DETAILS", read_details, kOptional, false, parse_details},
    {"CONNECTION_TERMINATION_DETAILS", read_text<&Info::termination>},
    {"RESPONSE_FLAGS", read_flags<&FlagName::short_name>},
    {"RESPONSE_FLAGS_LONG", read_flags<&FlagName::long_name>},
    {"BYTES_RECEIVED", read_count<&Info::bytes_received>},
    {"BYTES_SENT", read_count<&Info::bytes_sent>},
    {"DOWNSTREAM_WIRE_BYTES_RECEIVED",
     read_wire_bytes<&Info::downstream_head_bytes_received, &Info::bytes_received>},
    {"DOWNSTREAM_WIRE_BYTES_SENT",
     read_wire_bytes<&Info::downstream_head_bytes_sent, &Info::bytes_sent>},
    {"DOWNSTREAM_HEADER_BYTES_RECEIVED", read_count<&Info::downstream_head_bytes_received>},
    {"DOWNSTREAM_HEADER_BYTES_SENT", read_count<&Info::downstream_head_bytes_sent>},
    {"UPSTREAM_WIRE_BYTES_RECEIVED",
     read_wire_bytes<&Info::upstream_head_bytes_received, &Info::upstream_body_bytes_received>},
    {"UPSTREAM_WIRE_BYTES_SENT",
     read_wire_bytes<&Info::upstream_head_bytes_sent, &Info::upstream_body_bytes_sent>},
    {"UPSTREAM_HEADER_BYTES_RECEIVED", read_count<&Info::upstream_head_bytes_received>},
    {"UPSTREAM_HEADER_BYTES_SENT", read_count<&Info::upstream_head_bytes_sent>},
    {"UPSTREAM_PROTOCOL", read_upstream_protocol},
    {"UPSTREAM_CLUSTER", read_cluster},
    {"UPSTREAM_CLUSTER_RAW", read_text<&Info::cluster>},
    {"UPSTREAM_REQUEST_ATTEMPT_COUNT", read_attempts},
    {"UPSTREAM_TRANSPORT_FAILURE_REASON", read_upstream_failure},
    {"STREAM_ID", read_stream_id},
    {"UNIQUE_ID", read_unique_id},
    {"ACCESS_LOG_TYPE", read_log_type},
    {"REQUESTED_SERVER_NAME", read_text<&Info::requested_server_name>},
    {"FILTER_CHAIN_NAME", read_text<&Info::filter_chain>},
    {"ROUTE_NAME", read_text<&Info::route_name>},
    {"VIRTUAL_HOST_NAME", read_text<&Info::virtual_host>},
    {"VIRTUAL_CLUSTER_NAME", read_virtual_cluster},
    {"LOCAL_REPLY_BODY", read_local_reply_body},
    {"WORKER_ID", read_worker},
    {"HOSTNAME", read_own_text, kPlain, false, parse_hostname},
    {"ENVIRONMENT", read_own_text, kParameter, true, parse_environment},
};

}  // namespace

std::span<const CommandSpec> stream_commands() {
  return kCommands;
}

}  // namespace weir::http
