#include "proxy/http/log_filter.h"

#include <variant>
#include <vector>

#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "proxy/base/hash.h"
#include "proxy/http/fraction.h"
#include "proxy/http/grpc.h"
#include "proxy/http/request_match.h"

namespace weir::http {
namespace {

using config::Code;
using config::Diagnostics;
using config::FieldPath;
using envoy::config::accesslog::v3::AccessLogFilter;
using envoy::config::accesslog::v3::ComparisonFilter;
using envoy::config::accesslog::v3::RuntimeFilter;

enum class Subject : uint8_t { kStatus, kDurationMs };

struct Comparison {
  Subject subject = Subject::kStatus;
  ComparisonFilter::Op op = ComparisonFilter::EQ;
  uint64_t value = 0;
  std::string runtime_key;  // says another value
};
struct NotHealthCheck {};
struct Fraction {
  uint32_t numerator = 0;
  uint32_t denominator = 100;
  std::string runtime_key;  // says another numerator
  bool independent = false;
};
struct Flags {
  uint32_t mask = ~0u;
};
struct GrpcStatuses {
  uint32_t mask = 0;  // a bit for each status
  bool exclude = false;
};

// What decides beside the request itself.
struct Chance {
  uint64_t random;
  const RuntimeLookup& runtime;

  uint64_t number(const std::string& key, uint64_t fallback) const {
    if (key.empty() || !runtime) return fallback;
    const std::optional<double> found = runtime(key);
    return found && *found >= 0 ? static_cast<uint64_t>(*found) : fallback;
  }
};

bool judge(const Comparison& comparison, const FormatInput& input, const Chance& chance) {
  uint64_t actual = input.info->status;
  if (comparison.subject == Subject::kDurationMs) {
    const int64_t end_ns = input.info->end_ns;
    if (end_ns == 0) return false;
    actual = static_cast<uint64_t>((end_ns - input.info->start_ns) / 1'000'000);
  }
  const uint64_t value = chance.number(comparison.runtime_key, comparison.value);
  switch (comparison.op) {
    case ComparisonFilter::GE:
      return actual >= value;
    case ComparisonFilter::LE:
      return actual <= value;
    default:
      return actual == value;
  }
}

bool judge(const NotHealthCheck&, const FormatInput& input, const Chance&) {
  return !input.info->health_check;
}

// The id decides, so that all proxies on a request's way log the same requests.
bool judge(const Fraction& fraction, const FormatInput& input, const Chance& chance) {
  const std::string_view id = input.info->request_id;
  const uint64_t point = fraction.independent || id.empty() ? chance.random : xxhash64(id);
  return point % fraction.denominator < chance.number(fraction.runtime_key, fraction.numerator);
}

bool judge(const Flags& flags, const FormatInput& input, const Chance&) {
  return (input.info->flags & flags.mask) != 0;
}

// As Envoy: what a response without grpc-status stands for decides, of whatever request it is.
bool judge(const GrpcStatuses& statuses, const FormatInput& input, const Chance&) {
  const HeaderMap* head = input.response == nullptr ? nullptr : &input.response->headers;
  uint32_t code = static_cast<uint32_t>(grpc_status_of_http(input.info->status));
  if (const auto said = grpc_status_of(input.trailers, head)) code = *said;
  const bool found = code < kGrpcStatusCount && ((statuses.mask >> code) & 1) != 0;
  return found != statuses.exclude;
}

bool judge(const HeaderMatch& match, const FormatInput& input, const Chance&) {
  return input.request != nullptr && match.matches(*input.request);
}

}  // namespace

struct LogFilter::Node {
  struct All {
    std::vector<Node> children;
  };
  struct Any {
    std::vector<Node> children;
  };
  using Rule = std::variant<Comparison, NotHealthCheck, Fraction, Flags, GrpcStatuses, HeaderMatch,
                            All, Any>;
  Rule rule;

  bool matches(const FormatInput& input, const Chance& chance) const {
    return std::visit([&](const auto& r) { return judge_rule(r, input, chance); }, rule);
  }

 private:
  template <class T>
  static bool judge_rule(const T& leaf, const FormatInput& input, const Chance& chance) {
    return judge(leaf, input, chance);
  }
  static bool judge_rule(const All& all, const FormatInput& input, const Chance& chance) {
    for (const Node& child : all.children)
      if (!child.matches(input, chance)) return false;
    return true;
  }
  static bool judge_rule(const Any& any, const FormatInput& input, const Chance& chance) {
    for (const Node& child : any.children)
      if (child.matches(input, chance)) return true;
    return false;
  }
};

// Every error is reported; an error anywhere makes the whole filter nothing.
class LogFilter::Compiler {
 public:
  explicit Compiler(Diagnostics& diagnostics) : diagnostics_(diagnostics) {}

  std::optional<Node> filter(const AccessLogFilter& config, const FieldPath& path) {
    switch (config.filter_specifier_case()) {
      case AccessLogFilter::kStatusCodeFilter:
        return comparison(config.status_code_filter().comparison(), Subject::kStatus);
      case AccessLogFilter::kDurationFilter:
        return comparison(config.duration_filter().comparison(), Subject::kDurationMs);
      case AccessLogFilter::kNotHealthCheckFilter:
        return Node{NotHealthCheck{}};
      case AccessLogFilter::kRuntimeFilter:
        return fraction(config.runtime_filter());
      case AccessLogFilter::kHeaderFilter:
        return header(config, path.field("header_filter.header"));
      case AccessLogFilter::kResponseFlagFilter:
        return flags(config, path.field("response_flag_filter"));
      case AccessLogFilter::kGrpcStatusFilter:
        return grpc_statuses(config);
      case AccessLogFilter::kAndFilter:
        return group<Node::All>(config.and_filter().filters(), path.field("and_filter.filters"));
      case AccessLogFilter::kOrFilter:
        return group<Node::Any>(config.or_filter().filters(), path.field("or_filter.filters"));
      case AccessLogFilter::FILTER_SPECIFIER_NOT_SET:
        diagnostics_.error(Code::kConstraint, path, "the filter is empty",
                           "name one, or leave the whole filter out");
        return std::nullopt;
      default:
        return not_supported(config, path);
    }
  }

 private:
  static Node comparison(const ComparisonFilter& config, Subject subject) {
    return Node{Comparison{subject, config.op(), config.value().default_value(),
                           config.value().runtime_key()}};
  }

  static Node fraction(const RuntimeFilter& config) {
    const auto& percent = config.percent_sampled();
    return Node{Fraction{percent.numerator(), denominator_of(percent), config.runtime_key(),
                         config.use_independent_randomness()}};
  }

  std::optional<Node> header(const AccessLogFilter& config, const FieldPath& path) {
    auto match = HeaderMatch::compile(config.header_filter().header(), path, diagnostics_);
    if (!match) return std::nullopt;
    return Node{std::move(*match)};
  }

  std::optional<Node> flags(const AccessLogFilter& config, const FieldPath& path) {
    const auto& names = config.response_flag_filter().flags();
    if (names.empty()) return Node{Flags{}};
    uint32_t mask = 0;
    bool fine = true;
    for (int i = 0; i < names.size(); ++i) {
      const uint32_t bit = flag_by_short_name(names[i]);
      mask |= bit;
      if (bit != 0) continue;
      diagnostics_.error(Code::kNotSupported, path.field("flags", i),
                         "no response of Weir has the flag '" + names[i] + "'");
      fine = false;
    }
    if (!fine) return std::nullopt;
    return Node{Flags{mask}};
  }

  // Numbers beyond the enumeration are refused by the message's own rules.
  static Node grpc_statuses(const AccessLogFilter& config) {
    GrpcStatuses out;
    for (const int status : config.grpc_status_filter().statuses())
      out.mask |= 1u << (static_cast<uint32_t>(status) & 31);
    out.exclude = config.grpc_status_filter().exclude();
    return Node{out};
  }

  template <class Group, class Filters>
  std::optional<Node> group(const Filters& filters, const FieldPath& path) {
    Group out;
    for (int i = 0; i < filters.size(); ++i) {
      const FieldPath child_path = path.at(i);
      std::optional<Node> child = filter(filters[i], child_path);
      if (child) out.children.push_back(std::move(*child));
    }
    if (static_cast<int>(out.children.size()) != filters.size()) return std::nullopt;
    return Node{std::move(out)};
  }

  std::optional<Node> not_supported(const AccessLogFilter& config, const FieldPath& path) {
    const auto* oneof = config.GetDescriptor()->FindOneofByName("filter_specifier");
    const auto* field = config.GetReflection()->GetOneofFieldDescriptor(config, oneof);
    diagnostics_.error(Code::kNotSupported, path.field(field->name()),
                       "access log filter '" + field->name() + "' is not supported yet");
    return std::nullopt;
  }

  Diagnostics& diagnostics_;
};

LogFilter::LogFilter(std::unique_ptr<const Node> root, RuntimeLookup runtime)
    : root_(std::move(root)), runtime_(std::move(runtime)) {}
LogFilter::LogFilter(LogFilter&&) noexcept = default;
LogFilter& LogFilter::operator=(LogFilter&&) noexcept = default;
LogFilter::~LogFilter() = default;

std::optional<LogFilter> LogFilter::compile(const AccessLogFilter& config, const FieldPath& path,
                                            Diagnostics& diagnostics, RuntimeLookup runtime) {
  std::optional<Node> root = Compiler(diagnostics).filter(config, path);
  if (!root) return std::nullopt;
  return LogFilter(std::make_unique<const Node>(std::move(*root)), std::move(runtime));
}

bool LogFilter::matches(const FormatInput& input, uint64_t random) const {
  return root_->matches(input, Chance{random, runtime_});
}

}  // namespace weir::http
