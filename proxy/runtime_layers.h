#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/bootstrap.h"
#include "config/diagnostic.h"
#include "proxy/dynamic_resource.h"
#include "proxy/resource_reader.h"
#include "proxy/runtime.h"
#include "proxy/source_handlers.h"
#include "proxy/workers.h"

namespace weir {

class ControlPlanes;

// The bootstrap's layered_runtime: static layers, those that a control plane sends (RTDS), and the
// one that the admin port changes, laid over each other. What changes is in force for the workers
// at once. Main thread.
class RuntimeLayers {
 public:
  RuntimeLayers(net::Loop& loop, Workers& workers, ResourceReader& reader, ControlPlanes& planes);

  // Whether a bootstrap's layers can be had; if not, that is in the diagnostics.
  static void check(const config::Bootstrap& bootstrap, const ControlPlanes& planes,
                    const std::function<bool(const std::string&)>& has_cluster,
                    config::Diagnostics& diagnostics);
  // Before a bootstrap is compiled: there is a runtime if it has layers.
  void prepare(const config::Bootstrap& bootstrap);
  // Takes the layers of a bootstrap that was checked, in place of those that it had before. What
  // the admin port has set stays.
  void set(const config::Bootstrap& bootstrap);

  // Null: there are no layers, and never were.
  const std::shared_ptr<const LiveRuntime>& live() const { return shared_; }
  // Asks for the layers of control planes, which are there to be asked.
  void subscribe();
  // Whether every layer of a control plane has come, or will not.
  bool loaded() const;
  void on_loaded(std::function<void()> told) { told_loaded_ = std::move(told); }

  // Called with the values each time that they change.
  void on_changed(std::function<void(const Runtime& now)> told) { told_changed_ = std::move(told); }

  // Sets a key of the admin layer, or takes it back when `value` is empty. False: there is none.
  bool modify(const std::vector<std::pair<std::string, std::string>>& values);

  struct Layer {
    std::string name;
    enum class Kind : uint8_t { kStatic, kAdmin, kRtds } kind = Kind::kStatic;
    Runtime::Values values;
    std::string resource = {};  // of kRtds
    xds::Source* source = nullptr;
    int64_t fetch_timeout_ms = 0;
    xds::Resource last = {};
    int64_t updated_s = 0;
    bool loaded = true;
  };
  const std::vector<Layer>& layers() const { return layers_; }
  void describe(std::vector<DynamicResource>& out) const;

 private:
  std::vector<xds::Rejection> apply(const xds::Update& update);
  void absent(const std::string& name);
  void publish();
  void tell();

  net::Loop& loop_;
  Workers& workers_;
  ResourceReader& reader_;
  ControlPlanes& planes_;
  SourceHandlers handlers_;
  std::vector<Layer> layers_;
  std::shared_ptr<LiveRuntime> live_;
  std::shared_ptr<const LiveRuntime> shared_;  // the same
  std::function<void()> told_loaded_;
  std::function<void(const Runtime&)> told_changed_;
  bool subscribed_ = false;
};

}  // namespace weir
