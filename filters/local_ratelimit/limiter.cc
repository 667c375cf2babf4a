#include "filters/local_ratelimit/limiter.h"

#include <algorithm>
#include <cstring>

namespace weir::local_ratelimit {
namespace {

void append_text(std::string_view text, char*& to) {
  const auto size = static_cast<uint32_t>(text.size());
  std::memcpy(to, &size, sizeof(size));
  if (size > 0) std::memcpy(to + sizeof(size), text.data(), size);
  to += sizeof(size) + size;
}

// Keys and values, each after its length: no two descriptors have the same text.
std::string_view text_of(http::Descriptor descriptor, Arena& arena) {
  size_t size = 0;
  for (const auto& [key, value] : descriptor) size += key.size() + value.size() + 8;
  char* text = arena.text(size);
  char* to = text;
  for (const auto& [key, value] : descriptor) {
    append_text(key, to);
    append_text(value, to);
  }
  return {text, size};
}

std::string text_of(const LimitRule& rule) {
  Arena arena;
  std::vector<http::DescriptorEntry> entries;
  for (const auto& [key, value] : rule.entries) entries.push_back({key, value});
  return std::string(text_of(http::Descriptor(entries), arena));
}

}  // namespace

bool LimitRule::has_wildcard() const {
  return std::any_of(entries.begin(), entries.end(),
                     [](const auto& entry) { return entry.second.empty(); });
}

bool LimitRule::matches(http::Descriptor descriptor) const {
  return std::equal(entries.begin(), entries.end(), descriptor.begin(), descriptor.end(),
                    [](const auto& mine, const http::DescriptorEntry& theirs) {
                      return mine.first == theirs.key &&
                             (mine.second.empty() || mine.second == theirs.value);
                    });
}

Limiter::Buckets::Buckets(const BucketRate& rate, bool is_keyed, size_t max_keys)
    : token_ns(rate.token_ns()) {
  if (is_keyed)
    keyed = std::make_unique<KeyedBuckets>(rate, max_keys);
  else
    one = std::make_unique<TokenBucket>(rate);
}

Decision Limiter::Buckets::take(std::string_view key, int64_t now_ns) {
  Decision decision{.limited = true};
  decision.max_tokens = keyed != nullptr ? keyed->max_tokens() : one->max_tokens();
  decision.taken = keyed != nullptr ? keyed->take(key, now_ns) : one->take(now_ns);
  decision.allowed = decision.taken.allowed;
  return decision;
}

Limiter::Limiter(Options options)
    : rules_(std::move(options.rules)),
      per_connection_(options.per_connection),
      always_ask_fallback_(options.always_ask_fallback) {
  if (options.fallback) fallback_.emplace(*options.fallback, per_connection_, options.max_keys);
  exact_texts_.reserve(rules_.size());
  for (size_t i = 0; i < rules_.size(); ++i) {
    const bool wildcard = rules_[i].has_wildcard();
    buckets_.emplace_back(rules_[i].rate, wildcard || per_connection_, options.max_keys);
    exact_texts_.push_back(text_of(rules_[i]));
    if (wildcard)
      wildcards_.push_back(i);
    else
      exact_.emplace(exact_texts_.back(), i);
  }
}

Limiter::Buckets* Limiter::find(http::Descriptor descriptor, std::string_view text) {
  if (const auto found = exact_.find(text); found != exact_.end()) return &buckets_[found->second];
  for (const size_t i : wildcards_)
    if (rules_[i].matches(descriptor)) return &buckets_[i];
  return nullptr;
}

// What tells the buckets of one rule apart.
std::string_view Limiter::key_of(uint64_t connection_id, std::string_view text,
                                 Arena& arena) const {
  if (!per_connection_) return text;
  char id[sizeof(connection_id)];
  std::memcpy(id, &connection_id, sizeof(id));
  return arena.concat({{id, sizeof(id)}, text});
}

Decision Limiter::decide(std::span<const http::Descriptor> descriptors, uint64_t connection_id,
                         int64_t now_ns, Arena& arena) {
  Match* matches = arena.array<Match>(descriptors.size());
  size_t count = 0;
  for (const http::Descriptor descriptor : descriptors) {
    const std::string_view text = text_of(descriptor, arena);
    if (Buckets* found = find(descriptor, text); found != nullptr)
      matches[count++] = {found, key_of(connection_id, text, arena)};
  }
  std::stable_sort(matches, matches + count, [](const Match& a, const Match& b) {
    return a.buckets->token_ns > b.buckets->token_ns;
  });
  Decision tightest;
  const auto ask = [&](Buckets& buckets, std::string_view key) {
    const Decision asked = buckets.take(key, now_ns);
    if (!tightest.limited || !asked.allowed || asked.taken.remaining < tightest.taken.remaining)
      tightest = asked;
    return asked.allowed;
  };
  for (size_t i = 0; i < count; ++i)
    if (!ask(*matches[i].buckets, matches[i].key)) return tightest;
  if (fallback_ && (count == 0 || always_ask_fallback_))
    ask(*fallback_, key_of(connection_id, {}, arena));
  return tightest;
}

}  // namespace weir::local_ratelimit
