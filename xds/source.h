#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "xds/status.h"
#include "xds/types.h"

namespace weir::xds {

// Where resources come from: a control plane, a file, a REST server. Main thread.
class Source {
 public:
  virtual ~Source() = default;

  // Before the first subscription of the type.
  virtual void set_handler(ResourceType type, ResourceHandler& handler) = 0;

  // Name "*": all there are. A name may be subscribed to by several; each has to unsubscribe. The
  // handler is told on_absent when nothing came within the time; 0: it may take for ever. What has
  // come already does not come again: the handler keeps it.
  virtual void subscribe(ResourceType type, const std::string& name,
                         int64_t initial_fetch_timeout_ms) = 0;
  virtual void unsubscribe(ResourceType type, const std::string& name) = 0;
  // Asks again for a name that is subscribed to, of which the present version stays in force. The
  // handler is told what comes, on_unchanged if that is the same, or on_absent when nothing came
  // within the time; 0: it may take for ever.
  virtual void refresh(ResourceType type, const std::string& name, int64_t timeout_ms) = 0;

  // While paused nothing of the type is asked for, and no answer is acknowledged. Nests.
  virtual void pause(ResourceType type) = 0;
  virtual void resume(ResourceType type) = 0;

  virtual std::vector<ResourceStatus> status() const = 0;
};

}  // namespace weir::xds
