#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/harness/case_file.h"
#include "tests/harness/case_runner.h"
#include "tests/harness/strict_http.h"
#include "tests/harness/wire.h"

namespace weir::test {

// An upstream that reads every request strictly, notes it and answers it: with "ok", or the first
// one with bytes that a case gives.
class StrictUpstream {
 public:
  struct Request {
    Message message;
    size_t connection;
  };

  explicit StrictUpstream(CaseStage& stage) : stage_(stage) {}

  void answer_first_with(std::string bytes, bool then_close) {
    answer_ = std::move(bytes);
    close_after_answer_ = then_close;
    scripted_ = true;
  }

  Exchange::Wires wires();
  void accept();
  void serve();  // reads what has come and answers what is complete

  const std::vector<Request>& requests() const { return requests_; }
  // Why something that came is not canonical; empty when all is.
  const std::string& error() const { return error_; }
  // Bytes of a request that is not complete, on any connection.
  std::string unfinished() const;
  // Every connection with an unfinished request has been closed by the proxy.
  bool unfinished_are_closed() const;
  bool connection_ended(size_t connection) const { return connections_[connection]->ended(); }
  void finish_all();
  bool all_ended() const;

 private:
  void serve_connection(size_t number);
  void answer(Wire& wire, const Message& request);

  CaseStage& stage_;
  std::vector<std::unique_ptr<Wire>> connections_;
  std::vector<Request> requests_;
  std::string error_;
  bool scripted_ = false;
  std::string answer_;
  bool close_after_answer_ = false;
};

// One case of the corpus; README.md says how one is written and what it means.
class CorpusRun {
 public:
  CorpusRun(CaseStage& stage, const CaseFile& file, const Case& test_case, bool split);

  // The empty text when the proxy did as the case says.
  std::string run();

 private:
  std::string run_request_case();
  std::string run_response_case();
  std::string expect_forwards();
  std::string expect_refusal(const Step& step);
  std::string expect_going_on();
  std::string expect_bad(const Step& step);
  std::string expect_delivery(const Step& step);
  std::string probe();
  std::string check_upstream() const;
  bool read_response(Wire& wire, std::string_view method, Message& message);
  std::string send_bytes();
  std::string wind_up();

  const Step* step_named(std::string_view first_word) const;
  size_t steps_named(std::string_view first_word) const;

  CaseStage& stage_;
  const CaseFile& file_;
  const Case& case_;
  StrictUpstream upstream_;
  Wire client_;
  std::unique_ptr<Wire> other_client_;
  std::string method_ = "GET";
  size_t expected_requests_ = 0;
  Exchange exchange_;
};

}  // namespace weir::test
