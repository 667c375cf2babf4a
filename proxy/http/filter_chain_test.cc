// The filter contract: what passes, what waits and who answers, told as a trace of calls.
#include "proxy/http/filter_chain.h"

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "proxy/net/testing/loop_thread.h"

namespace weir::http {
namespace {

using Trace = std::vector<std::string>;

std::string piece_text(std::string_view bytes, bool end) {
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

Filter* Script::make(FilterContext& context) const {
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

  Trace& trace;
  std::string passed;
  Arena arena;
  RequestHead request{arena};
  ResponseHead response{arena};
  HeaderMap trailers{arena};
  StreamInfo info;
  FilterChain chain;
};

class FilterChainTest : public testing::Test {
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
  HeaderMap& trailers() { return exchange_->trailers; }

  net::LoopThread t_;
  stats::Registry registry_;
  stats::Shard& shard_ = registry_.new_shard();
  Trace trace_;
  FilterList list_;
  std::unique_ptr<Exchange> exchange_;
};

constexpr auto kWait = [](FilterContext&, auto&&...) { return Verdict::kWait; };

LocalReply denied(std::string_view body = "") {
  LocalReply reply;
  reply.status = 403;
  reply.details = "denied";
  reply.body = body;
  return reply;
}

// ---- continue ----

TEST_F(FilterChainTest, RequestsGoForwardResponsesBack) {
  add("a");
  add("b");
  begin([&](FilterChain& c) {
    c.request_head(false);
    c.request_body("x", false);
    c.request_body("", true);
  });
  EXPECT_EQ(trace(),
            "a.request b.request head a.body(x) b.body(x) body(x) "
            "a.body(,end) b.body(,end) body(,end)");
  then([&](FilterChain& c) {
    exchange_->response.status = 200;
    c.response_head(exchange_->response, false);
    c.response_body("y", false);
    c.response_trailers(trailers());
    c.finish();
  });
  EXPECT_EQ(trace(),
            "b.response(200) a.response(200) response(200) "
            "b.response_body(y) a.response_body(y) response_body(y) "
            "b.response_trailers a.response_trailers response_trailers "
            "a.done b.done b.~ a.~");
}

TEST_F(FilterChainTest, AFilterMayReplaceAPiece) {
  add("a").request_body = [](FilterContext&, BodyPiece& piece) {
    piece.bytes = "replaced";
    return Verdict::kContinue;
  };
  add("b");
  begin([](FilterChain& c) {
    c.request_head(false);
    c.request_body("x", true);
  });
  EXPECT_EQ(trace(),
            "a.request b.request head a.body(x,end) b.body(replaced,end) body(replaced,end)");
}

TEST_F(FilterChainTest, FinishedItCanBeStartedAgain) {
  add("a").request = kWait;
  begin([&](FilterChain& c) {
    c.request_head(false);
    c.request_body("held", true);
    c.finish();
    c.finish();
    EXPECT_TRUE(c.empty());
  });
  EXPECT_EQ(trace(), "a.request a.done a.~");
  then([&](FilterChain& c) {
    start(nullptr);
    c.request_head(true);
  });
  EXPECT_EQ(trace(), "a.request,end");
}

// ---- wait ----

TEST_F(FilterChainTest, AWaitingHeadHoldsWhatFollows) {
  Resumption resumption;
  add("a");
  add("b").request = [&](FilterContext& c, bool) {
    resumption = c.resumption();
    return Verdict::kWait;
  };
  add("c");
  begin([&](FilterChain& c) {
    c.request_head(false);
    c.request_body("one", false);
    c.request_body("two", false);
    c.request_trailers(trailers());
  });
  EXPECT_EQ(trace(), "a.request b.request a.body(one) a.body(two) a.trailers");
  resumption.resume();
  EXPECT_EQ(trace(),
            "c.request head b.body(onetwo) c.body(onetwo) body(onetwo) "
            "b.trailers c.trailers trailers");
}

TEST_F(FilterChainTest, AWaitingHeadWithoutBody) {
  Resumption resumption;
  add("a").request = [&](FilterContext& c, bool) {
    resumption = c.resumption();
    return Verdict::kWait;
  };
  add("b");
  begin([](FilterChain& c) { c.request_head(true); });
  EXPECT_EQ(trace(), "a.request,end");
  resumption.resume();
  EXPECT_EQ(trace(), "b.request,end head,end");
}

TEST_F(FilterChainTest, TwoFiltersWaitOneAfterTheOther) {
  Resumption first;
  Resumption second;
  add("a").request = [&](FilterContext& c, bool) {
    first = c.resumption();
    return Verdict::kWait;
  };
  add("b").request = [&](FilterContext& c, bool) {
    second = c.resumption();
    return Verdict::kWait;
  };
  begin([](FilterChain& c) {
    c.request_head(false);
    c.request_body("x", true);
  });
  EXPECT_EQ(trace(), "a.request");
  first.resume();
  EXPECT_EQ(trace(), "b.request a.body(x,end)");
  second.resume();
  EXPECT_EQ(trace(), "head b.body(x,end) body(x,end)");
}

TEST_F(FilterChainTest, AWaitingBodyIsShownUntilItsFilterContinues) {
  int pieces = 0;
  add("a").request_body = [&](FilterContext&, BodyPiece&) {
    return ++pieces < 3 ? Verdict::kWait : Verdict::kContinue;
  };
  add("b");
  begin([](FilterChain& c) {
    c.request_head(false);
    c.request_body("1", false);
    c.request_body("2", false);
  });
  EXPECT_EQ(trace(), "a.request b.request head a.body(1) a.body(2)");
  then([](FilterChain& c) {
    c.request_body("3", false);
    c.request_body("4", true);
  });
  EXPECT_EQ(trace(), "a.body(3) b.body(123) body(123) a.body(4,end) b.body(4,end) body(4,end)");
}

TEST_F(FilterChainTest, WaitingTrailers) {
  Resumption resumption;
  add("a").request_trailers = [&](FilterContext& c) {
    resumption = c.resumption();
    return Verdict::kWait;
  };
  add("b");
  begin([&](FilterChain& c) {
    c.request_head(false);
    c.request_body("x", false);
    c.request_trailers(trailers());
  });
  EXPECT_EQ(trace(), "a.request b.request head a.body(x) b.body(x) body(x) a.trailers");
  resumption.resume();
  EXPECT_EQ(trace(), "b.trailers trailers");
}

// What an earlier filter holds back does not get past it because a later one lets go.
TEST_F(FilterChainTest, TwoFiltersWaitAtOnce) {
  Resumption earlier;
  Resumption later;
  add("a").request_body = [&](FilterContext& c, BodyPiece&) {
    earlier = c.resumption();
    return Verdict::kWait;
  };
  add("b").request = [&](FilterContext& c, bool) {
    later = c.resumption();
    return Verdict::kWait;
  };
  begin([](FilterChain& c) {
    c.request_head(false);
    c.request_body("x", true);
  });
  EXPECT_EQ(trace(), "a.request b.request a.body(x,end)");
  later.resume();
  EXPECT_EQ(trace(), "head");
  earlier.resume();
  EXPECT_EQ(trace(), "b.body(x,end) body(x,end)");
}

TEST_F(FilterChainTest, TwoFiltersWaitAtOnceAndTheEarlierLetsGoFirst) {
  Resumption earlier;
  Resumption later;
  add("a").request_body = [&](FilterContext& c, BodyPiece&) {
    earlier = c.resumption();
    return Verdict::kWait;
  };
  add("b").request = [&](FilterContext& c, bool) {
    later = c.resumption();
    return Verdict::kWait;
  };
  begin([](FilterChain& c) {
    c.request_head(false);
    c.request_body("x", true);
  });
  earlier.resume();
  EXPECT_EQ(trace(), "a.request b.request a.body(x,end)");
  later.resume();
  EXPECT_EQ(trace(), "head b.body(x,end) body(x,end)");
}

// ---- resume ----

TEST_F(FilterChainTest, ResumeFromAnotherThread) {
  Resumption resumption;
  std::thread::id where;
  add("a").request = [&](FilterContext& c, bool) {
    resumption = c.resumption();
    return Verdict::kWait;
  };
  begin([](FilterChain& c) { c.request_head(true); });
  std::thread other([&] {
    resumption.resume([&] {
      where = std::this_thread::get_id();
      return Verdict::kContinue;
    });
  });
  other.join();
  EXPECT_EQ(trace(), "a.request,end head,end");
  EXPECT_EQ(where, t_.run([] { return std::this_thread::get_id(); }));
}

TEST_F(FilterChainTest, OnlyTheFirstResumeCounts) {
  Resumption resumption;
  add("a").request = [&](FilterContext& c, bool) {
    resumption = c.resumption();
    return Verdict::kWait;
  };
  begin([](FilterChain& c) { c.request_head(true); });
  const Resumption copy = resumption;
  std::atomic<int> calls{0};
  const auto go_on = [&] {
    ++calls;
    return Verdict::kContinue;
  };
  resumption.resume(go_on);
  copy.resume(go_on);
  resumption.resume(go_on);
  EXPECT_EQ(trace(), "a.request,end head,end");
  EXPECT_EQ(calls, 1);
  Resumption().resume();
}

TEST_F(FilterChainTest, ResumeAfterTheEndDoesNothing) {
  Resumption resumption;
  add("a").request = [&](FilterContext& c, bool) {
    resumption = c.resumption();
    return Verdict::kWait;
  };
  begin([](FilterChain& c) { c.request_head(true); });
  t_.run([&] { exchange_.reset(); });
  bool called = false;
  resumption.resume([&] { return called = true, Verdict::kContinue; });
  EXPECT_EQ(trace(), "a.request,end a.done a.~");
  EXPECT_FALSE(called);
}

TEST_F(FilterChainTest, ResumeAfterStopDoesNothing) {
  Resumption resumption;
  add("a").request = [&](FilterContext& c, bool) {
    resumption = c.resumption();
    return Verdict::kWait;
  };
  begin([](FilterChain& c) {
    c.request_head(false);
    c.request_body("x", false);
    c.stop();
    c.request_body("y", true);
  });
  resumption.resume();
  EXPECT_EQ(trace(), "a.request");
}

TEST_F(FilterChainTest, ResumeMayWaitAgain) {
  Resumption first;
  Resumption second;
  add("a").request = [&](FilterContext& c, bool) {
    first = c.resumption();
    second = c.resumption();
    return Verdict::kWait;
  };
  begin([](FilterChain& c) { c.request_head(true); });
  first.resume([] { return Verdict::kWait; });
  EXPECT_EQ(trace(), "a.request,end");
  second.resume();
  EXPECT_EQ(trace(), "head,end");
}

// ---- respond ----

TEST_F(FilterChainTest, AnAnswerStopsTheRequest) {
  add("a");
  add("b").request = [](FilterContext& c, bool) { return c.respond(denied("no")); };
  add("c");
  begin([](FilterChain& c) {
    c.request_head(false);
    c.request_body("x", true);
  });
  EXPECT_EQ(trace(),
            "a.request b.request respond:denied "
            "c.response(403) b.response(403) a.response(403) response(403) "
            "c.response_body(no,end) b.response_body(no,end) a.response_body(no,end) "
            "response_body(no,end)");
}

TEST_F(FilterChainTest, AnAnswerToABody) {
  add("a").request_body = [](FilterContext& c, BodyPiece&) { return c.respond(denied()); };
  begin([](FilterChain& c) {
    c.request_head(false);
    c.request_body("x", false);
    c.request_body("y", true);
  });
  EXPECT_EQ(trace(), "a.request head a.body(x) respond:denied a.response(403,end) response(403)");
}

TEST_F(FilterChainTest, AnAnswerToTrailers) {
  add("a").request_trailers = [](FilterContext& c) { return c.respond(denied()); };
  begin([&](FilterChain& c) {
    c.request_head(false);
    c.request_trailers(trailers());
  });
  EXPECT_EQ(trace(), "a.request head a.trailers respond:denied a.response(403,end) response(403)");
}

TEST_F(FilterChainTest, AnAnswerFromResume) {
  Resumption resumption;
  FilterContext* context = nullptr;
  add("a").request = [&](FilterContext& c, bool) {
    context = &c;
    resumption = c.resumption();
    return Verdict::kWait;
  };
  begin([](FilterChain& c) {
    c.request_head(false);
    c.request_body("secret", true);
  });
  resumption.resume([&] { return context->respond(denied()); });
  EXPECT_EQ(trace(), "a.request respond:denied a.response(403,end) response(403)");
}

TEST_F(FilterChainTest, AnAnswerWhileAnotherFilterWaits) {
  Resumption resumption;
  add("a").request_body = [](FilterContext& c, BodyPiece&) { return c.respond(denied()); };
  add("b").request = [&](FilterContext& c, bool) {
    resumption = c.resumption();
    return Verdict::kWait;
  };
  begin([](FilterChain& c) {
    c.request_head(false);
    c.request_body("x", true);
  });
  resumption.resume();
  EXPECT_EQ(trace(),
            "a.request b.request a.body(x,end) respond:denied "
            "b.response(403,end) a.response(403,end) response(403)");
}

// ---- collect_body ----

TEST_F(FilterChainTest, CollectedBodyIsShownAndHeldWithTheHead) {
  Script& a = add("a");
  a.request = [](FilterContext& c, bool) { return c.collect_body(10); };
  a.request_body = [](FilterContext&, BodyPiece& piece) {
    return piece.end ? Verdict::kContinue : Verdict::kWait;
  };
  add("b");
  begin([](FilterChain& c) {
    c.request_head(false);
    c.request_body("12345", false);
  });
  EXPECT_EQ(trace(), "a.request a.body(12345)");
  then([](FilterChain& c) { c.request_body("67890", true); });
  EXPECT_EQ(trace(), "a.body(67890,end) b.request head b.body(1234567890,end) body(1234567890,end)");
}

TEST_F(FilterChainTest, CollectedBodyThatEndsInTrailers) {
  Script& a = add("a");
  a.request = [](FilterContext& c, bool) { return c.collect_body(10); };
  a.request_body = kWait;
  add("b");
  begin([&](FilterChain& c) {
    c.request_head(false);
    c.request_body("x", false);
    c.request_trailers(trailers());
  });
  EXPECT_EQ(trace(), "a.request a.body(x) a.trailers b.request head b.body(x) body(x) b.trailers trailers");
}

TEST_F(FilterChainTest, CollectedBodyThatIsRefused) {
  Script& a = add("a");
  a.request = [](FilterContext& c, bool) { return c.collect_body(10); };
  a.request_body = [](FilterContext& c, BodyPiece& piece) {
    return piece.end ? c.respond(denied()) : Verdict::kWait;
  };
  begin([](FilterChain& c) {
    c.request_head(false);
    c.request_body("x", false);
    c.request_body("y", true);
  });
  EXPECT_EQ(trace(),
            "a.request a.body(x) a.body(y,end) respond:denied a.response(403,end) response(403)");
}

TEST_F(FilterChainTest, ABodyAboveTheLimitIsTooLarge) {
  for (const bool last_continues : {false, true}) {
    list_.clear();
    Script& a = add("a");
    a.request = [](FilterContext& c, bool) { return c.collect_body(10); };
    a.request_body = [&](FilterContext&, BodyPiece& piece) {
      return last_continues && piece.end ? Verdict::kContinue : Verdict::kWait;
    };
    begin([](FilterChain& c) {
      c.request_head(false);
      c.request_body("1234567890", false);
      c.request_body("x", true);
      c.request_body("y", true);
    });
    EXPECT_EQ(trace(),
              "a.request a.body(1234567890) a.body(x,end) respond:request_payload_too_large "
              "a.response(413) response(413) a.response_body(Payload Too Large,end) "
              "response_body(Payload Too Large,end)");
    then([](FilterChain& c) { c.finish(); });
    trace();
  }
}

TEST_F(FilterChainTest, TheLimitOfOneFilterIsNotTheNextOnes) {
  Script& a = add("a");
  a.request = [](FilterContext& c, bool) { return c.collect_body(5); };
  a.request_body = [](FilterContext&, BodyPiece&) { return Verdict::kContinue; };
  Resumption resumption;
  add("b").request_body = [&](FilterContext& c, BodyPiece&) {
    resumption = c.resumption();
    return Verdict::kWait;
  };
  begin([](FilterChain& c) {
    c.request_head(false);
    c.request_body("1234", false);
    c.request_body("5678", true);
  });
  EXPECT_EQ(trace(), "a.request a.body(1234) b.request head b.body(1234) a.body(5678,end) b.body(5678,end)");
  resumption.resume();
  EXPECT_EQ(trace(), "body(12345678,end)");
}

TEST_F(FilterChainTest, TheLimitEndsWithTheCollecting) {
  Script& a = add("a");
  int pieces = 0;
  Resumption resumption;
  a.request = [](FilterContext& c, bool) { return c.collect_body(5); };
  a.request_body = [&](FilterContext& c, BodyPiece&) {
    if (++pieces == 1) return Verdict::kContinue;
    resumption = c.resumption();
    return Verdict::kWait;
  };
  begin([](FilterChain& c) {
    c.request_head(false);
    c.request_body("1234", false);
    c.request_body("567890123", true);
  });
  EXPECT_EQ(trace(), "a.request a.body(1234) head body(1234) a.body(567890123,end)");
  resumption.resume();
  EXPECT_EQ(trace(), "body(567890123,end)");
}

// ---- back-pressure ----

TEST_F(FilterChainTest, HoldingMuchPausesTheClient) {
  Resumption resumption;
  add("a").request = [&](FilterContext& c, bool) {
    resumption = c.resumption();
    return Verdict::kWait;
  };
  const std::string piece(kBufferLimit, 'x');
  begin([&](FilterChain& c) {
    c.request_head(false);
    c.request_body(piece, false);
  });
  EXPECT_EQ(trace(), "a.request");
  then([](FilterChain& c) {
    c.request_body("y", false);
    c.request_body("z", true);
  });
  EXPECT_EQ(trace(), "pause");
  resumption.resume();
  const std::string whole = piece + "yz";
  EXPECT_EQ(trace(), "head a.body(" + whole + ",end) body(" + whole + ",end) unpause");
}

TEST_F(FilterChainTest, HeldBodiesKeepTheirOrderAcrossBlocks) {
  Resumption resumption;
  add("a").request = [&](FilterContext& c, bool) {
    resumption = c.resumption();
    return Verdict::kWait;
  };
  std::string body;
  for (int i = 0; body.size() < 100'000; ++i) body += std::to_string(i) + ",";
  begin([&](FilterChain& c) {
    c.request_head(false);
    for (size_t at = 0; at < body.size(); at += 999)
      c.request_body(std::string_view(body).substr(at, 999), at + 999 >= body.size());
  });
  resumption.resume();
  EXPECT_EQ(t_.run([&] { return exchange_->passed; }), body);
  EXPECT_EQ(t_.run([&] { return t_.loop().blocks().blocks_in_use(); }), 0u);
}

// ---- responses ----

TEST_F(FilterChainTest, AWaitingResponse) {
  Resumption resumption;
  add("a");
  add("b").response = [&](FilterContext& c) {
    resumption = c.resumption();
    return Verdict::kWait;
  };
  const std::string much(kBufferLimit, 'x');
  begin([&](FilterChain& c) {
    c.request_head(true);
    exchange_->response.status = 200;
    c.response_head(exchange_->response, false);
    c.response_body(much, false);
    c.response_body("y", false);
    c.response_trailers(trailers());
  });
  EXPECT_EQ(trace(), "a.request,end b.request,end head,end b.response(200) pause_response");
  resumption.resume();
  EXPECT_EQ(trace(), "a.response(200) response(200) b.response_body(" + much + "y) a.response_body(" +
                         much + "y) response_body(" + much +
                         "y) b.response_trailers a.response_trailers response_trailers "
                         "unpause_response");
}

TEST_F(FilterChainTest, AWaitingResponseBody) {
  add("a").response_body = [](FilterContext&, BodyPiece& piece) {
    return piece.end ? Verdict::kContinue : Verdict::kWait;
  };
  begin([&](FilterChain& c) {
    c.request_head(true);
    exchange_->response.status = 200;
    c.response_head(exchange_->response, false);
    c.response_body("1", false);
    c.response_body("2", true);
  });
  EXPECT_EQ(trace(),
            "a.request,end head,end a.response(200) response(200) a.response_body(1) "
            "a.response_body(2,end) response_body(12,end)");
}

// ---- configs ----

TEST_F(FilterChainTest, TheMostSpecificConfigIsInForce) {
  const auto entry = [&](const std::string& name, std::shared_ptr<Script> config) {
    return RouteFilter{.name = name, .config = std::move(config)};
  };
  const auto of_table = std::make_shared<Script>("table", trace_);
  const auto of_host = std::make_shared<Script>("host", trace_);
  const RouteFilters table = {entry("a", of_table)};
  const RouteFilters host = {entry("a", of_host), entry("b", of_host)};
  const RouteFilters own = {entry("other", of_table)};
  Route route;
  route.filters = {&table, &host, &own};
  std::vector<const Script*> in_force;
  std::vector<size_t> levels;
  for (const char* name : {"a", "b", "c"})
    add(name).request = [&](FilterContext& c, bool) {
      in_force.push_back(&c.config<Script>());
      levels.push_back(c.route_configs().size());
      EXPECT_EQ(c.route(), &route);
      return Verdict::kContinue;
    };
  begin([](FilterChain& c) { c.request_head(true); }, &route);
  const auto* own_config = static_cast<const Script*>(list_[2].config.get());
  EXPECT_EQ(in_force, (std::vector<const Script*>{of_host.get(), of_host.get(), own_config}));
  EXPECT_EQ(levels, (std::vector<size_t>{2, 1, 0}));
}

TEST_F(FilterChainTest, DisabledFilters) {
  add("off", /*disabled=*/true);
  add("on");
  add("off_by_route");
  add("on_by_route", /*disabled=*/true);
  add("makes_none").makes_none = true;
  const RouteFilters own = {{.name = "off_by_route", .disabled = true},
                            {.name = "on_by_route", .disabled = false}};
  Route route;
  route.filters = {&own};
  begin([](FilterChain& c) { c.request_head(true); }, &route);
  EXPECT_EQ(trace(), "on.request,end on_by_route.request,end head,end");
}

TEST_F(FilterChainTest, AFilterMayAskForAnotherLookUp) {
  add("a").request = [](FilterContext& c, bool) {
    c.clear_route();
    return Verdict::kContinue;
  };
  begin([](FilterChain& c) {
    EXPECT_FALSE(c.route_stale());
    c.request_head(true);
    EXPECT_TRUE(c.route_stale());
  });
}

}  // namespace
}  // namespace weir::http
