#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/http/filter_chain.h"
#include "proxy/net/testing/loop_thread.h"

// A chain of filters that do what a test says, and a trace of all that is called and all that
// passes. Everything but the test itself is on the loop's thread.
namespace weir::http {

using Trace = std::vector<std::string>;

inline std::string piece_text(std::string_view bytes, bool end) {
  return "(" + std::string(bytes) + (end ? ",end)" : ")");
}

// A filter that notes each call and does what the test says; by default it continues.
struct Script : FilterConfig {
  Script(std::string n, Trace& t) : name(std::move(n)), trace(t) {}
  Filter* make(FilterContext& context) const override;

  std::string name;
  Trace& trace;
  bool makes_none = false;
  std::function<Verdict(FilterContext&, bool)> request;
  std::function<Verdict(FilterContext&, BodyPiece&)> request_body;
  std::function<Verdict(FilterContext&)> request_trailers;
  std::function<Verdict(FilterContext&)> response;
  std::function<Verdict(FilterContext&, BodyPiece&)> response_body;
  std::function<Verdict(FilterContext&)> response_trailers;
};

class Scripted : public Filter {
 public:
  explicit Scripted(const Script& script) : s_(script) {}
  ~Scripted() override { note("~"); }

  Verdict on_request(FilterContext& c, bool end) override {
    note(end ? "request,end" : "request");
    return s_.request ? s_.request(c, end) : Verdict::kContinue;
  }
  Verdict on_request_body(FilterContext& c, BodyPiece& p) override {
    note("body" + piece_text(p.bytes, p.end));
    return s_.request_body ? s_.request_body(c, p) : Verdict::kContinue;
  }
  Verdict on_request_trailers(FilterContext& c, HeaderMap&) override {
    note("trailers");
    return s_.request_trailers ? s_.request_trailers(c) : Verdict::kContinue;
  }
  Verdict on_response(FilterContext& c, ResponseHead& head, bool end) override {
    note("response(" + std::to_string(head.status) + (end ? ",end)" : ")"));
    return s_.response ? s_.response(c) : Verdict::kContinue;
  }
  Verdict on_response_body(FilterContext& c, BodyPiece& p) override {
    note("response_body" + piece_text(p.bytes, p.end));
    return s_.response_body ? s_.response_body(c, p) : Verdict::kContinue;
  }
  Verdict on_response_trailers(FilterContext& c, HeaderMap&) override {
    note("response_trailers");
    return s_.response_trailers ? s_.response_trailers(c) : Verdict::kContinue;
  }
  void on_done(FilterContext&) override { note("done"); }

 private:
  void note(const std::string& what) { s_.trace.push_back(s_.name + "." + what); }
  const Script& s_;
};

inline Filter* Script::make(FilterContext& context) const {
  return makes_none ? nullptr : place<Scripted>(context, *this);
}

// A chain and its owner, which notes what passed and answers as a request does.
class Exchange : public FilterChainOwner {
 public:
  Exchange(net::Loop& loop, Trace& t) : trace(t), chain(*this, loop.blocks()) {}

  void request_head_passed(bool end) override { trace.push_back(end ? "head,end" : "head"); }
  void request_body_passed(std::string_view bytes, bool end) override {
    trace.push_back("body" + piece_text(bytes, end));
    passed += bytes;
  }
  void request_trailers_passed(HeaderMap&) override { trace.push_back("trailers"); }
  void response_head_passed(bool) override {
    trace.push_back("response(" + std::to_string(response.status) + ")");
  }
  void response_body_passed(std::string_view bytes, bool end) override {
    trace.push_back("response_body" + piece_text(bytes, end));
  }
  void response_trailers_passed(HeaderMap&) override { trace.push_back("response_trailers"); }
  void respond(const LocalReply& reply) override {
    trace.push_back("respond:" + std::string(reply.details));
    chain.stop_request();
    response.status = reply.status;
    chain.response_head(response, reply.body.empty());
    if (!reply.body.empty()) chain.response_body(reply.body, true);
  }
  void pause_request(bool pause) override { trace.push_back(pause ? "pause" : "unpause"); }
  void pause_response(bool pause) override {
    trace.push_back(pause ? "pause_response" : "unpause_response");
  }
  std::optional<ClusterMembers> cluster_members(std::string_view) override { return std::nullopt; }

  Trace& trace;
  std::string passed;
  Arena arena;
  RequestHead request{arena};
  ResponseHead response{arena};
  HeaderMap trailers{arena};
  StreamInfo info;
  FilterChain chain;
};

class ScriptedFilters : public testing::Test {
 protected:
  static constexpr size_t kBufferLimit = 100;

  void TearDown() override {
    t_.run([&] { exchange_.reset(); });
  }

  Script& add(const std::string& name, bool disabled = false) {
    auto script = std::make_shared<Script>(name, trace_);
    list_.push_back({.name = name, .config = script, .disabled = disabled});
    return *script;
  }
  // Makes the chain of what was added and does something with it, in one turn of the loop.
  void begin(const std::function<void(FilterChain&)>& then, const Route* route = nullptr) {
    t_.run([&] {
      exchange_ = std::make_unique<Exchange>(t_.loop(), trace_);
      start(route);
      then(exchange_->chain);
    });
  }
  void start(const Route* route) {
    exchange_->chain.start({.filters = list_,
                            .route = route,
                            .request = exchange_->request,
                            .info = exchange_->info,
                            .loop = t_.loop(),
                            .stats = shard_,
                            .worker = 0,
                            .buffer_limit = kBufferLimit});
  }
  void then(const std::function<void(FilterChain&)>& what) {
    t_.run([&] { what(exchange_->chain); });
  }
  // What was noted since the last call.
  std::string trace() {
    return t_.run([&] {
      std::string text;
      for (const std::string& entry : trace_) text += (text.empty() ? "" : " ") + entry;
      trace_.clear();
      return text;
    });
  }
  HeaderMap& trailers() {
    if (exchange_->trailers.empty()) exchange_->trailers.add("x-trailer", "t");
    return exchange_->trailers;
  }

  net::LoopThread t_;
  stats::Registry registry_;
  stats::Shard& shard_ = registry_.new_shard();
  Trace trace_;
  FilterList list_;
  std::unique_ptr<Exchange> exchange_;
};

}  // namespace weir::http
