#include "proxy/filter_user.h"

#include <algorithm>
#include <utility>

#include "envoy/config/core/v3/config_source.pb.h"
#include "envoy/config/core/v3/extension.pb.h"
#include "proxy/filter_compile.h"

namespace weir {
namespace {

using config::FieldPath;

class MissingFilter : public http::Filter {
 public:
  http::Verdict on_request(http::FilterContext& context, bool /*end*/) override {
    return context.respond(
        {.status = 500, .details = "filter_config_not_found", .flags = http::kNoFilterConfig});
  }
};

class MissingFilterConfig : public http::FilterConfig {
 public:
  http::Filter* make(http::FilterContext& context) const override {
    return http::place<MissingFilter>(context);
  }
};

}  // namespace

http::ConfiguredFilter missing_filter(const std::string& name, bool disabled) {
  return {name, std::make_shared<const MissingFilterConfig>(), disabled};
}

FilterUser::FilterUser(const FilterCompiler& compiler, http::FilterList filters,
                       std::vector<DiscoveredFilter> discovered)
    : compiler_(std::make_unique<const FilterCompiler>(compiler)),
      discovered_(std::move(discovered)),
      list_(std::make_shared<const http::FilterList>(std::move(filters))),
      settled_(discovered_.size()),
      feed_(std::make_shared<FilterFeed>(compiler.build().workers, FilterUse{list_})) {
  for (const DiscoveredFilter& filter : discovered_)
    if (filter.needs_no_warming) set_settled(filter);
}

FilterUser::~FilterUser() = default;

http::ConfiguredFilter FilterUser::compile(
    const DiscoveredFilter& filter, const envoy::config::core::v3::TypedExtensionConfig& message,
    config::Diagnostics& diagnostics) const {
  const FilterCompiler compiler(*compiler_, diagnostics);
  const FieldPath root = FieldPath::root();
  return compiler.compile_discovered_config(filter, message.typed_config(),
                                            root.field("typed_config"));
}

std::shared_ptr<const http::FilterList> FilterUser::put(
    const DiscoveredFilter& filter, const http::ConfiguredFilter* config) const {
  auto next = std::make_shared<http::FilterList>(*list_);
  (*next)[filter.position] = config != nullptr ? *config : filter.fallback;
  list_ = std::move(next);
  set_settled(filter);
  return list_;
}

bool FilterUser::ready() const {
  return std::all_of(settled_.begin(), settled_.end(), [](bool settled) { return settled; });
}

}  // namespace weir
