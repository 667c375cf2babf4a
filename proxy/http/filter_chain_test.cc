// The filter contract: what passes, what waits and who answers, told as a trace of calls.
#include "proxy/http/filter_chain.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "proxy/http/filter_type.h"
#include "proxy/http/testing/scripted_filters.h"

namespace weir::http {
namespace {

class FilterChainTest : public ScriptedFilters {};

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
  EXPECT_EQ(trace(),
            "a.body(67890,end) b.request head b.body(1234567890,end) body(1234567890,end)");
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
  EXPECT_EQ(trace(),
            "a.request a.body(x) a.trailers b.request head b.body(x) body(x) b.trailers trailers");
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
  EXPECT_EQ(trace(),
            "a.request a.body(1234) b.request head b.body(1234) a.body(5678,end) b.body(5678,end)");
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
  EXPECT_EQ(trace(), "a.response(200) response(200) b.response_body(" + much +
                         "y) a.response_body(" + much + "y) response_body(" + much +
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

// As when the upstream breaks off while a filter holds the response: the client gets the answer
// and nothing of what was held.
TEST_F(FilterChainTest, AnAnswerTakesThePlaceOfAHeldResponse) {
  add("a").response = [&](FilterContext& c) {
    return c.response()->status == 200 ? Verdict::kWait : Verdict::kContinue;
  };
  begin([&](FilterChain& c) {
    c.request_head(true);
    exchange_->response.status = 200;
    c.response_head(exchange_->response, false);
    c.response_body("half of the body", false);
    exchange_->response.status = 502;
    c.response_head(exchange_->response, false);
    c.response_body("broken", true);
  });
  EXPECT_EQ(trace(),
            "a.request,end head,end a.response(200) a.response(502) response(502) "
            "a.response_body(broken,end) response_body(broken,end)");
}

TEST_F(FilterChainTest, AnAnswerInsteadOfAResponseHasItsBody) {
  add("a");
  add("b").response = [](FilterContext& c) {
    return c.response()->status == 200 ? c.respond(denied("no")) : Verdict::kContinue;
  };
  begin([&](FilterChain& c) {
    c.request_head(true);
    exchange_->response.status = 200;
    c.response_head(exchange_->response, false);
  });
  EXPECT_EQ(trace(),
            "a.request,end b.request,end head,end b.response(200) respond:denied b.response(403) "
            "a.response(403) response(403) b.response_body(no,end) a.response_body(no,end) "
            "response_body(no,end)");
}

// What an outer filter holds is of the response that is no more, and so is what it is about to do.
TEST_F(FilterChainTest, AnAnswerWhileAnOuterFilterHoldsTheResponse) {
  std::vector<Resumption> resumptions;
  add("a").response = [&](FilterContext& c) {
    resumptions.push_back(c.resumption());
    return Verdict::kWait;
  };
  add("b").response_body = [](FilterContext& c, BodyPiece&) {
    return c.response()->status == 200 ? c.respond(denied("no")) : Verdict::kContinue;
  };
  begin([&](FilterChain& c) {
    c.request_head(true);
    exchange_->response.status = 200;
    c.response_head(exchange_->response, false);
    c.response_body("of the upstream", true);
  });
  EXPECT_EQ(trace(),
            "a.request,end b.request,end head,end b.response(200) a.response(200) "
            "b.response_body(of the upstream,end) respond:denied b.response(403) a.response(403) "
            "b.response_body(no,end)");
  ASSERT_EQ(resumptions.size(), 2u);
  then([&](FilterChain&) { resumptions[0].resume(); });
  then([](FilterChain&) {});
  EXPECT_EQ(trace(), "") << "that was for the one before";
  then([&](FilterChain&) { resumptions[1].resume(); });
  then([](FilterChain&) {});
  EXPECT_EQ(trace(), "response(403) a.response_body(no,end) response_body(no,end)");
}

TEST_F(FilterChainTest, WhatWasAppendedDoesNotOutliveAnAnswer) {
  add("a").response_trailers = [](FilterContext& c) {
    c.append_body("appended");
    return c.respond(denied());
  };
  begin([&](FilterChain& c) {
    c.request_head(true);
    exchange_->response.status = 200;
    c.response_head(exchange_->response, false);
    c.response_trailers(trailers());
  });
  EXPECT_EQ(trace(),
            "a.request,end head,end a.response(200) response(200) a.response_trailers "
            "respond:denied a.response(403,end) response(403)");
}

TEST_F(FilterChainTest, WhoWasPausedForAHeldBodyIsNotWhenItIsDropped) {
  add("a").request = kWait;
  begin([&](FilterChain& c) {
    c.request_head(false);
    c.request_body(std::string(kBufferLimit + 1, 'x'), false);
    c.stop_request();
  });
  EXPECT_EQ(trace(), "a.request pause unpause");
}

// ---- bodies that filters append ----

TEST_F(FilterChainTest, AHeadThatEndsTheMessageGetsABody) {
  add("a").request = [](FilterContext& c, bool) {
    c.append_body("new");
    return Verdict::kContinue;
  };
  add("b").response = [](FilterContext& c) {
    c.append_body("error");
    return Verdict::kContinue;
  };
  begin([&](FilterChain& c) {
    c.request_head(true);
    exchange_->response.status = 200;
    c.response_head(exchange_->response, true);
  });
  EXPECT_EQ(trace(),
            "a.request,end b.request head b.body(new,end) body(new,end) b.response(200,end) "
            "a.response(200) response(200) a.response_body(error,end) response_body(error,end)");
}

TEST_F(FilterChainTest, ABodyIsAppendedBeforeTrailers) {
  add("a").request_trailers = [](FilterContext& c) {
    c.append_body("last");
    return Verdict::kContinue;
  };
  add("b");
  begin([&](FilterChain& c) {
    c.request_head(false);
    c.request_body("x", false);
    c.request_trailers(trailers());
  });
  EXPECT_EQ(trace(),
            "a.request b.request head a.body(x) b.body(x) body(x) a.trailers b.body(last) "
            "body(last) b.trailers trailers");
}

// What a filter needs that turns trailers into a status: the head waits for them.
TEST_F(FilterChainTest, ACollectedResponseWhoseTrailersBecomeItsEnd) {
  add("a");
  Script& b = add("b");
  b.response = [](FilterContext& c) { return c.collect_response(); };
  b.response_body = [](FilterContext&, BodyPiece& piece) {
    piece.bytes = {};
    return Verdict::kWait;
  };
  b.response_trailers = [&](FilterContext& c) {
    c.response()->status = 404;
    c.append_body("whole");
    exchange_->trailers.clear();
    return Verdict::kContinue;
  };
  begin([&](FilterChain& c) {
    c.request_head(true);
    exchange_->response.status = 200;
    c.response_head(exchange_->response, false);
    c.response_body("ignored", false);
    c.response_trailers(trailers());
  });
  EXPECT_EQ(trace(),
            "a.request,end b.request,end head,end b.response(200) b.response_body(ignored) "
            "b.response_trailers a.response(404) response(404) a.response_body(whole) "
            "response_body(whole) a.response_trailers response_body(,end)");
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

TEST_F(FilterChainTest, FiltersOfOneNameShareItsConfigs) {
  const FilterType one{}, other{};
  const auto for_one = std::make_shared<Script>("for one", trace_);
  const auto for_other = std::make_shared<Script>("for other", trace_);
  const RouteFilters table = {{.name = "twin", .config = for_one, .type = &one}};
  const RouteFilters own = {{.name = "twin", .config = for_other, .type = &other}};
  Route route;
  route.filters = {&table, &own};
  std::vector<const Script*> in_force;
  for (int i = 0; i < 3; ++i)
    add("twin").request = [&](FilterContext& c, bool) {
      in_force.push_back(&c.config<Script>());
      return Verdict::kContinue;
    };
  list_[0].type = list_[2].type = &one;
  list_[1].type = &other;
  begin([](FilterChain& c) { c.request_head(true); }, &route);
  EXPECT_EQ(in_force, (std::vector<const Script*>{for_one.get(), for_other.get(), for_one.get()}));
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
