#include <ctime>
#include <nlohmann/json.hpp>

#include "proxy/admin/render.h"

namespace weir::admin {
namespace {

using nlohmann::ordered_json;

// RFC 3339, in UTC.
std::string time_text(int64_t ms) {
  const time_t seconds = static_cast<time_t>(ms / 1000);
  tm parts;
  gmtime_r(&seconds, &parts);
  char text[32];
  strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

ordered_json resource_json(const ResourceState& in) {
  ordered_json out = {{"type", in.type}, {"name", in.name}, {"state", in.state}};
  if (!in.version.empty()) out["version"] = in.version;
  if (in.updated_ms != 0) out["updated"] = time_text(in.updated_ms);
  if (!in.rejected_version.empty()) out["rejected_version"] = in.rejected_version;
  if (!in.error.empty()) out["error"] = in.error;
  out["since"] = time_text(in.since_ms);
  return out;
}

}  // namespace

std::string control_planes_json(const std::vector<ControlPlaneState>& planes) {
  ordered_json list = ordered_json::array();
  for (const ControlPlaneState& plane : planes) {
    ordered_json resources = ordered_json::array();
    for (const ResourceState& one : plane.resources) resources.push_back(resource_json(one));
    list.push_back({{"name", plane.name},
                    {"connected", plane.connected},
                    {"identifier", plane.identifier},
                    {"resources", std::move(resources)}});
  }
  return ordered_json{{"control_planes", std::move(list)}}.dump(
      2, ' ', false, ordered_json::error_handler_t::replace);
}

}  // namespace weir::admin
