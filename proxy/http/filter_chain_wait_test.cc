// Filters that wait: what is held, in which order it goes on, and who may let it go.
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>

#include "proxy/http/filter_chain.h"
#include "proxy/http/testing/scripted_filters.h"

namespace weir::http {
namespace {

class FilterWaitTest : public ScriptedFilters {};

constexpr auto kWait = [](FilterContext&, auto&&...) { return Verdict::kWait; };

// ---- wait ----

TEST_F(FilterWaitTest, AWaitingHeadHoldsWhatFollows) {
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

TEST_F(FilterWaitTest, AWaitingHeadWithoutBody) {
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

TEST_F(FilterWaitTest, TwoFiltersWaitOneAfterTheOther) {
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

TEST_F(FilterWaitTest, AWaitingBodyIsShownUntilItsFilterContinues) {
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

TEST_F(FilterWaitTest, WaitingTrailers) {
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
TEST_F(FilterWaitTest, TwoFiltersWaitAtOnce) {
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

TEST_F(FilterWaitTest, TwoFiltersWaitAtOnceAndTheEarlierLetsGoFirst) {
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

// Trailers, too, pass the filters in front of the one that waits.
TEST_F(FilterWaitTest, EarlierFiltersSeeTrailersWhileALaterOneCollects) {
  add("a");
  Script& b = add("b");
  b.request = [](FilterContext& c, bool) { return c.collect_body(10); };
  b.request_body = kWait;
  begin([&](FilterChain& c) {
    c.request_head(false);
    c.request_body("x", false);
    c.request_trailers(trailers());
  });
  EXPECT_EQ(trace(),
            "a.request b.request a.body(x) b.body(x) a.trailers b.trailers "
            "head body(x) trailers");
}

// ---- resume ----

TEST_F(FilterWaitTest, ResumeFromAnotherThread) {
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

TEST_F(FilterWaitTest, OnlyTheFirstResumeCounts) {
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

TEST_F(FilterWaitTest, ResumeAfterTheEndDoesNothing) {
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

TEST_F(FilterWaitTest, ResumeAfterStopDoesNothing) {
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

TEST_F(FilterWaitTest, ResumeMayWaitAgain) {
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

// ---- back-pressure ----

TEST_F(FilterWaitTest, HoldingMuchPausesTheClient) {
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

TEST_F(FilterWaitTest, HeldBodiesKeepTheirOrderAcrossBlocks) {
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

TEST_F(FilterWaitTest, TheClientGoesOnWhenTheNextFilterCollects) {
  Resumption resumption;
  add("a").request = [&](FilterContext& c, bool) {
    resumption = c.resumption();
    return Verdict::kWait;
  };
  Script& b = add("b");
  b.request = [](FilterContext& c, bool) { return c.collect_body(1000); };
  b.request_body = [](FilterContext&, BodyPiece& piece) {
    return piece.end ? Verdict::kContinue : Verdict::kWait;
  };
  const std::string much(kBufferLimit + 1, 'x');
  begin([&](FilterChain& c) {
    c.request_head(false);
    c.request_body(much, false);
  });
  EXPECT_EQ(trace(), "a.request pause");
  resumption.resume();
  EXPECT_EQ(trace(), "b.request a.body(" + much + ") b.body(" + much + ") unpause");
  then([](FilterChain& c) { c.request_body("y", true); });
  EXPECT_EQ(trace(), "a.body(y,end) b.body(y,end) head body(" + much + "y,end)");
}

// A long stream of which a filter holds every other piece costs no more than a short one.
TEST_F(FilterWaitTest, HoldingAgainAndAgainNeedsNoMoreMemory) {
  int pieces = 0;
  add("a").request_body = [&](FilterContext&, BodyPiece&) {
    return ++pieces % 2 == 1 ? Verdict::kWait : Verdict::kContinue;
  };
  begin([](FilterChain& c) { c.request_head(false); });
  for (int i = 0; i < 1000; ++i) then([](FilterChain& c) { c.request_body("x", false); });
  EXPECT_EQ(t_.run([&] { return exchange_->passed.size(); }), 1000u);
  EXPECT_EQ(t_.run([&] { return exchange_->arena.overflow_bytes(); }), 0u);
}

}  // namespace
}  // namespace weir::http
