#include "proxy/runtime_layers.h"

#include <algorithm>
#include <ctime>
#include <set>
#include <utility>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/service/runtime/v3/rtds.pb.h"
#include "proxy/control_planes.h"

namespace weir {

using config::FieldPath;
using xds::ResourceType;

RuntimeLayers::RuntimeLayers(net::Loop& loop, Workers& workers, ResourceReader& reader,
                             ControlPlanes& planes)
    : loop_(loop),
      workers_(workers),
      reader_(reader),
      planes_(planes),
      handlers_([this](auto&, auto& update) { return apply(update); },
                [this](auto&, auto, auto& name) { absent(name); }) {}

void RuntimeLayers::check(const config::Bootstrap& bootstrap, const ControlPlanes& planes,
                          const std::function<bool(const std::string&)>& has_cluster,
                          config::Diagnostics& diagnostics) {
  const FieldPath layers = FieldPath::root("layered_runtime.layers");
  std::set<std::string> names;
  bool has_admin_layer = false;
  for (int i = 0; i < bootstrap.layered_runtime().layers_size(); ++i) {
    const auto& layer = bootstrap.layered_runtime().layers(i);
    const FieldPath at = layers.at(i);
    if (!names.insert(layer.name()).second)
      diagnostics.error(config::Code::kSemantic, at.field("name"),
                        "there is another layer named '" + layer.name() + "'");
    if (layer.has_admin_layer() && std::exchange(has_admin_layer, true))
      diagnostics.error(config::Code::kSemantic, at.field("admin_layer"),
                        "there is another admin_layer", "at most one can be written to");
    if (layer.has_disk_layer())
      diagnostics.error(config::Code::kNotSupported, at.field("disk_layer"),
                        "Weir reads no runtime values from a directory of files",
                        "use an rtds_layer with a path_config_source, or a static_layer");
    if (layer.has_rtds_layer())
      planes.check(layer.rtds_layer().rtds_config(), ResourceType::kRuntime,
                   at.field("rtds_layer.rtds_config"), has_cluster, diagnostics);
  }
}

void RuntimeLayers::prepare(const config::Bootstrap& bootstrap) {
  if (live_ == nullptr && bootstrap.layered_runtime().layers_size() > 0)
    shared_ = live_ = std::make_shared<LiveRuntime>();
}

void RuntimeLayers::set(const config::Bootstrap& bootstrap) {
  std::vector<Layer> old = std::exchange(layers_, {});
  for (const auto& in : bootstrap.layered_runtime().layers()) {
    Layer layer{.name = in.name(), .values = runtime_values(in.static_layer())};
    if (in.has_admin_layer()) layer.kind = Layer::Kind::kAdmin;
    if (in.has_rtds_layer()) {
      layer.kind = Layer::Kind::kRtds;
      layer.resource = in.rtds_layer().name();
      layer.source = planes_.source(in.rtds_layer().rtds_config(), ResourceType::kRuntime);
      layer.fetch_timeout_ms = fetch_timeout_ms(in.rtds_layer().rtds_config());
      layer.loaded = false;
    }
    const auto same = std::find_if(old.begin(), old.end(), [&](const Layer& one) {
      return one.kind == layer.kind && one.kind != Layer::Kind::kStatic &&
             one.resource == layer.resource && one.source == layer.source;
    });
    layers_.push_back(same == old.end() ? std::move(layer) : *same);
  }
  if (live_ == nullptr) return;
  publish();
  if (subscribed_) subscribe();
}

void RuntimeLayers::subscribe() {
  subscribed_ = true;
  for (const Layer& layer : layers_) {
    if (layer.source == nullptr || layer.loaded) continue;
    handlers_.attach(*layer.source, ResourceType::kRuntime);
    layer.source->subscribe(ResourceType::kRuntime, layer.resource, layer.fetch_timeout_ms);
  }
}

bool RuntimeLayers::loaded() const {
  return std::all_of(layers_.begin(), layers_.end(),
                     [](const Layer& layer) { return layer.loaded; });
}

void RuntimeLayers::tell() {
  if (told_loaded_ && loaded()) told_loaded_();
}

std::vector<xds::Rejection> RuntimeLayers::apply(const xds::Update& update) {
  std::vector<xds::Rejection> rejections;
  for (const xds::Resource& resource : update.added) {
    envoy::service::runtime::v3::Runtime message;
    config::Diagnostics diagnostics;
    if (!reader_.read(*resource.content, message, diagnostics)) {
      rejections.push_back({resource.name, error_text(diagnostics)});
      continue;
    }
    for (Layer& layer : layers_) {
      if (layer.kind != Layer::Kind::kRtds || layer.resource != resource.name) continue;
      layer.values = runtime_values(message.layer());
      layer.last = resource;
      layer.updated_s = std::time(nullptr);
      layer.loaded = true;
    }
  }
  publish();
  tell();
  return rejections;
}

void RuntimeLayers::absent(const std::string& name) {
  for (Layer& layer : layers_)
    if (layer.kind == Layer::Kind::kRtds && layer.resource == name) layer.loaded = true;
  tell();
}

bool RuntimeLayers::modify(const std::vector<std::pair<std::string, std::string>>& values) {
  const auto admin = std::find_if(layers_.begin(), layers_.end(), [](const Layer& layer) {
    return layer.kind == Layer::Kind::kAdmin;
  });
  if (admin == layers_.end()) return false;
  for (const auto& [key, value] : values) {
    if (value.empty())
      admin->values.erase(key);
    else
      admin->values[key] = value;
  }
  publish();
  return true;
}

// Later layers lie above earlier ones.
void RuntimeLayers::publish() {
  Runtime::Values merged;
  for (const Layer& layer : layers_)
    for (const auto& [key, value] : layer.values) merged[key] = value;
  std::shared_ptr<const Runtime> old =
      live_->exchange(std::make_unique<const Runtime>(std::move(merged)));
  if (told_changed_) told_changed_(live_->current());
  // Some worker may be reading it at this moment.
  workers_.each_then(
      loop_, [](Worker&) {}, [old = std::move(old)] {});
}

void RuntimeLayers::describe(std::vector<DynamicResource>& out) const {
  for (const Layer& layer : layers_)
    if (layer.last.content != nullptr)
      out.push_back({ResourceType::kRuntime, layer.resource, layer.last.version, layer.updated_s,
                     layer.last.content});
}

}  // namespace weir
