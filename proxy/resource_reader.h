#pragma once

#include <google/protobuf/any.pb.h>

#include <set>
#include <string>

#include "config/diagnostic.h"
#include "config/field_path.h"
#include "config/message_check.h"
#include "proxy/base/log.h"
#include "proxy/stats/registry.h"

namespace google::protobuf {
class Message;
}

namespace weir {

// Reads resources of a control plane: what a bootstrap's loader does for static ones. Main thread.
class ResourceReader {
 public:
  // `strict`: unknown fields are errors (--reject-unknown-dynamic-fields); else they are ignored,
  // logged, and counted as `server.dynamic_unknown_fields`.
  ResourceReader(config::MessageCheck& check, bool strict, stats::Registry& stats, Logger& log)
      : check_(check),
        strict_(strict),
        stats_(stats),
        log_(log),
        unknown_fields_(stats.counter("server.dynamic_unknown_fields")) {}

  // Whether Istio's own extensions are left out (config/istio_compat.h).
  void set_istio_compat(bool on) { istio_compat_ = on; }

  // False on errors, which are then in `diagnostics`, with paths that begin at the resource.
  bool read(const google::protobuf::Any& content, google::protobuf::Message& out,
            config::Diagnostics& diagnostics);

 private:
  bool known_fields(const google::protobuf::Message& message, config::Diagnostics& diagnostics);
  void leave_out_istio(google::protobuf::Message& message);
  void leave_out_optional(google::protobuf::Message& message, config::Diagnostics& diagnostics);
  void unfold(google::protobuf::Message& message, config::Diagnostics& diagnostics);
  void tell(const google::protobuf::Message& message, const config::Diagnostics& found,
            config::Diagnostics& diagnostics);

  config::MessageCheck& check_;
  bool strict_;
  stats::Registry& stats_;
  Logger& log_;
  stats::CounterId unknown_fields_;
  bool istio_compat_ = false;
  std::set<std::string> left_out_;  // types that the log has told of
};

// All errors in one text, a line each: "field.path: message; hint".
std::string error_text(const config::Diagnostics& diagnostics);

}  // namespace weir
