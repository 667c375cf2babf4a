#include "filters/grpc_json_transcoder/status_text.h"

#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace weir::filters::transcoder {

std::string status_text(const google::rpc::Status& status, const Settings& settings) {
  std::string out;
  write_json(status, *settings.types, settings.write, out);
  return out;
}

std::string status_text(uint32_t grpc_code, std::string_view message, const Violation* violation,
                        const Settings& settings) {
  google::rpc::Status status;
  status.set_code(static_cast<int32_t>(grpc_code));
  status.set_message(std::string(message));
  if (violation != nullptr && !violation->field.empty()) {
    google::rpc::BadRequest bad;
    google::rpc::BadRequest::FieldViolation& field = *bad.add_field_violations();
    field.set_field(violation->field);
    field.set_description(violation->description);
    status.add_details()->PackFrom(bad);
  }
  return status_text(status, settings);
}

}  // namespace weir::filters::transcoder
