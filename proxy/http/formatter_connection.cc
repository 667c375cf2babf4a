// Commands whose values are addresses and connections.

#include "proxy/http/formatter_part.h"
#include "proxy/http/host.h"
#include "proxy/net/address.h"

namespace weir::http {
namespace {

using Member = const net::Address* StreamInfo::*;

const net::Address* address_of(const FormatInput& in, Member member) {
  const net::Address* address = in.info == nullptr ? nullptr : in.info->*member;
  if (address == nullptr || address->family() == net::Address::Family::kNone) return nullptr;
  return address;
}

template <Member kMember>
FormatValue read_address(const Format::Part&, const FormatInput& in, FormatScratch& scratch) {
  const net::Address* address = address_of(in, kMember);
  if (address == nullptr) return FormatValue::missing();
  return FormatValue::of({scratch.bytes, address->write_text(scratch.bytes)});
}

template <Member kMember>
FormatValue read_ip(const Format::Part&, const FormatInput& in, FormatScratch& scratch) {
  const net::Address* address = address_of(in, kMember);
  if (address == nullptr) return FormatValue::missing();
  return FormatValue::of({scratch.bytes, address->write_ip_text(scratch.bytes)});
}

template <Member kMember>
FormatValue read_port(const Format::Part&, const FormatInput& in, FormatScratch& scratch) {
  const net::Address* address = address_of(in, kMember);
  if (address == nullptr || !address->is_ip()) return FormatValue::missing();
  return scratch.number(uint64_t{address->port()});
}

FormatValue read_host_name(const Format::Part& part, const FormatInput& in,
                           FormatScratch& scratch) {
  const std::string* name = in.info == nullptr ? nullptr : in.info->upstream_hostname;
  if (name == nullptr || name->empty())
    return read_address<&StreamInfo::upstream_remote>(part, in, scratch);
  return scratch.copy(*name);  // which may change before the request is over
}

FormatValue read_host_name_without_port(const Format::Part& part, const FormatInput& in,
                                        FormatScratch& scratch) {
  FormatValue value = read_host_name(part, in, scratch);
  if (port_of_host(value.text)) value.text = host_without_port(value.text);
  return value;
}

template <uint64_t StreamInfo::*kId>
FormatValue read_id(const Format::Part&, const FormatInput& in, FormatScratch& scratch) {
  if (in.info == nullptr || in.info->*kId == 0) return FormatValue::missing();
  return scratch.number(in.info->*kId);
}

constexpr Member kDownstreamRemote = &StreamInfo::downstream_remote;
constexpr Member kDownstreamDirect = &StreamInfo::downstream_direct_remote;
constexpr Member kDownstreamLocal = &StreamInfo::downstream_local;
constexpr Member kUpstreamRemote = &StreamInfo::upstream_remote;
constexpr Member kUpstreamLocal = &StreamInfo::upstream_local;

constexpr CommandSpec kCommands[] = {
    {"DOWNSTREAM_REMOTE_ADDRESS", read_address<kDownstreamRemote>},
    {"DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", read_ip<kDownstreamRemote>},
    {"DOWNSTREAM_REMOTE_PORT", read_port<kDownstreamRemote>},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS", read_address<kDownstreamDirect>},
    {"DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT", read_ip<kDownstreamDirect>},
    {"DOWNSTREAM_DIRECT_REMOTE_PORT", read_port<kDownstreamDirect>},
    {"DOWNSTREAM_LOCAL_ADDRESS", read_address<kDownstreamLocal>},
    {"DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", read_ip<kDownstreamLocal>},
    {"DOWNSTREAM_LOCAL_PORT", read_port<kDownstreamLocal>},
    {"UPSTREAM_HOST", read_address<kUpstreamRemote>},
    {"UPSTREAM_HOST_NAME", read_host_name},
    {"UPSTREAM_HOST_NAME_WITHOUT_PORT", read_host_name_without_port},
    {"UPSTREAM_REMOTE_ADDRESS", read_address<kUpstreamRemote>},
    {"UPSTREAM_REMOTE_ADDRESS_WITHOUT_PORT", read_ip<kUpstreamRemote>},
    {"UPSTREAM_REMOTE_PORT", read_port<kUpstreamRemote>},
    {"UPSTREAM_LOCAL_ADDRESS", read_address<kUpstreamLocal>},
    {"UPSTREAM_LOCAL_ADDRESS_WITHOUT_PORT", read_ip<kUpstreamLocal>},
    {"UPSTREAM_LOCAL_PORT", read_port<kUpstreamLocal>},
    {"CONNECTION_ID", read_id<&StreamInfo::connection_id>},
    {"UPSTREAM_CONNECTION_ID", read_id<&StreamInfo::upstream_connection_id>},
};

}  // namespace

std::span<const CommandSpec> connection_commands() {
  return kCommands;
}

}  // namespace weir::http
