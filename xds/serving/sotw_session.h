#pragma once

#include "xds/serving/session.h"

namespace weir::xds {

// The "state of the world": a response holds all that the client wants of a type, as far as it
// exists. Of clusters and listeners, what is not in it is removed; of the other types nobody can
// tell a client that something is gone. One thread.
class SotwSession final : public Session {
 public:
  using Session::Session;

  Result<std::optional<Verdict>> on_request(std::string_view bytes, int64_t now_ms) override;
  std::string_view protocol() const override { return "sotw"; }

 private:
  using Names = std::set<std::string, std::less<>>;

  std::optional<Push> build(ResourceType type, TypeState& of, bool removing) override;
  void subscribe(ResourceType type, TypeState& of, Names names);
  bool is_due(ResourceType type, TypeState& of, bool removing);
};

}  // namespace weir::xds
