#include "filters/header_mutation/header_mutation.h"

#include "envoy/extensions/filters/http/header_mutation/v3/header_mutation.pb.h"
#include "filters/header_mutation/query_mutation.h"
#include "proxy/http/header_changes.h"

namespace weir::filters {
namespace {

namespace v3 = envoy::extensions::filters::http::header_mutation::v3;
using envoy::config::common::mutation_rules::v3::HeaderMutation;
using http::HeaderChanges;
using http::Verdict;

struct Mutations : http::FilterConfig {
  http::Filter* make(http::FilterContext& context) const override;

  HeaderChanges request;
  HeaderChanges response;
  HeaderChanges request_trailers;
  HeaderChanges response_trailers;
  QueryMutations query;
  bool most_specific_wins = false;  // of the filter's own config
};

// Calls `apply` with the filter's own mutations and then with those of the routing levels, from the
// most to the least specific unless the most specific shall win.
template <class Apply>
void for_each_level(const Mutations& own, http::FilterContext& context, Apply apply) {
  apply(own);
  const auto levels = context.route_configs();
  for (size_t i = 0; i < levels.size(); ++i) {
    const size_t at = own.most_specific_wins ? i : levels.size() - 1 - i;
    apply(static_cast<const Mutations&>(*levels[at]));
  }
}

class MutationFilter : public http::Filter {
 public:
  explicit MutationFilter(const Mutations& own) : own_(own) {}

  Verdict on_request(http::FilterContext& context, bool) override {
    for_each_level(own_, context, [&](const Mutations& level) {
      level.request.apply(context.request(), input(context));
      level.query.apply(context.request(), input(context));
    });
    return Verdict::kContinue;
  }
  Verdict on_request_trailers(http::FilterContext& context, http::HeaderMap& trailers) override {
    for_each_level(own_, context, [&](const Mutations& level) {
      level.request_trailers.apply(trailers, input(context));
    });
    return Verdict::kContinue;
  }
  Verdict on_response(http::FilterContext& context, http::ResponseHead& head, bool) override {
    for_each_level(own_, context, [&](const Mutations& level) {
      level.response.apply(head.headers, input(context));
    });
    return Verdict::kContinue;
  }
  Verdict on_response_trailers(http::FilterContext& context, http::HeaderMap& trailers) override {
    for_each_level(own_, context, [&](const Mutations& level) {
      level.response_trailers.apply(trailers, input(context, &trailers));
    });
    return Verdict::kContinue;
  }

 private:
  static http::FormatInput input(http::FilterContext& context,
                                 const http::HeaderMap* trailers = nullptr) {
    return {.request = &context.request(),
            .response = context.response(),
            .trailers = trailers,
            .info = &context.info()};
  }

  const Mutations& own_;
};

http::Filter* Mutations::make(http::FilterContext& context) const {
  return http::place<MutationFilter>(context, *this);
}

// The list in its order: each mutation sees what the ones before it did.
HeaderChanges compile_list(const google::protobuf::RepeatedPtrField<HeaderMutation>& list,
                           std::string_view field, const http::FilterBuild& build) {
  HeaderChanges changes;
  const auto mutations = build.path.field("mutations");
  for (int i = 0; i < list.size(); ++i) {
    const auto at = mutations.field(field, i);
    if (list[i].has_append()) {
      const auto path = at.field("append");
      auto change = http::compile_header_change(list[i].append(), path, build.diagnostics);
      if (change) changes.add(std::move(*change));
    } else {
      const auto path = at.field("remove");
      auto name = http::compile_header_removal(list[i].remove(), path, build.diagnostics);
      if (name) changes.remove(std::move(*name));
    }
  }
  return changes;
}

std::unique_ptr<Mutations> compile_mutations(const v3::Mutations& config,
                                             const http::FilterBuild& build) {
  const size_t errors = build.diagnostics.error_count();
  auto out = std::make_unique<Mutations>();
  out->request = compile_list(config.request_mutations(), "request_mutations", build);
  out->response = compile_list(config.response_mutations(), "response_mutations", build);
  out->request_trailers =
      compile_list(config.request_trailers_mutations(), "request_trailers_mutations", build);
  out->response_trailers =
      compile_list(config.response_trailers_mutations(), "response_trailers_mutations", build);
  const auto mutations = build.path.field("mutations");
  out->query =
      QueryMutations::compile(config.query_parameter_mutations(), mutations, build.diagnostics);
  return build.diagnostics.error_count() == errors ? std::move(out) : nullptr;
}

std::unique_ptr<http::FilterConfig> compile(const google::protobuf::Message& message,
                                            const http::FilterBuild& build) {
  const auto& config = static_cast<const v3::HeaderMutation&>(message);
  auto out = compile_mutations(config.mutations(), build);
  if (out != nullptr) out->most_specific_wins = config.most_specific_header_mutations_wins();
  return out;
}

std::unique_ptr<http::FilterConfig> compile_route(const google::protobuf::Message& message,
                                                  const http::FilterBuild& build) {
  const auto& config = static_cast<const v3::HeaderMutationPerRoute&>(message);
  return compile_mutations(config.mutations(), build);
}

}  // namespace

http::FilterType header_mutation() {
  return {
      .message = "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
      .compile = compile,
      .route_message = "envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute",
      .compile_route = compile_route};
}

}  // namespace weir::filters
