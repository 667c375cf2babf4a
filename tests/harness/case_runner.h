#pragma once

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/harness/case_file.h"
#include "tests/harness/strict_http.h"
#include "tests/harness/weir_process.h"
#include "tests/harness/wire.h"

namespace weir::test {

// A proxy with one config and the upstreams that this config names: @UPSTREAM@, @UPSTREAM2@,
// @UPSTREAM3@, and @DEAD@, a port that refuses connections. Serves any number of cases in turn.
class CaseStage {
 public:
  static constexpr size_t kUpstreams = 3;

  explicit CaseStage(const CaseFile& file);

  const std::string& failure() const { return weir_->failure(); }
  WeirProcess& weir() { return *weir_; }
  const Fd& listener(size_t upstream) const { return listeners_[upstream]; }

 private:
  void drop_connections_of_the_start();

  std::array<Fd, kUpstreams> listeners_;
  ReservedPort dead_;
  std::unique_ptr<WeirProcess> weir_;
};

// One case being run.
class CaseRun {
 public:
  CaseRun(CaseStage& stage, const CaseFile& file, const Case& test_case, bool split);

  // The empty text when it passed, else what went wrong, where, and what was on the wire.
  std::string run();

 private:
  // A connection and how far the case has looked into its present message.
  struct Peer {
    Peer(Fd socket, bool upstream, size_t index)
        : wire(std::move(socket)), is_upstream(upstream), number(index) {}
    Wire wire;
    bool is_upstream;
    size_t number;            // of the client or the upstream, from 0
    bool in_message = false;  // its head was looked at, its end was not
    size_t body_seen = 0;
    std::deque<std::string> methods;  // of the requests that a client has sent
    bool fresh = true;                // an upstream connection that carried no request yet
    bool known = false;               // the case has spoken of it
  };

  std::string run_step(const Step& step);
  std::string run_client(const Step& step, const std::vector<std::string>& verb, size_t number);
  std::string run_upstream(const Step& step, const std::vector<std::string>& verb, size_t number);
  std::string act(Peer& peer, const Step& step, const std::vector<std::string>& verb);
  std::string expect_log(const Step& step);

  std::string gets(Peer& peer, const Step& step, const std::vector<std::string>& verb);
  std::string gets_message(Peer& peer, const Step& step, bool whole, bool exact);
  std::string gets_body(Peer& peer, const Step& step);
  std::string gets_end(Peer& peer);
  std::string gets_bytes(Peer& peer, const Step& step);
  std::string gets_nothing(size_t upstream);
  std::string gets_aborted(Peer& peer);
  std::string gets_closed(Peer& peer);

  ParseResult parse(const Peer& peer, Message& message) const;
  bool await(Peer& peer, Parsed at_least, ParseResult& result, Message& message);
  void finish_message(Peer& peer, const Message& message);

  Peer& client(size_t number);
  Peer* find_upstream(size_t number, const std::function<bool(const Peer&)>& wanted);
  void make_current(Peer& peer);
  std::string expect_connection(const Peer& peer, const std::vector<std::string>& verb) const;
  std::string check_leftovers();
  std::string wind_up();

  CaseStage& stage_;
  const CaseFile& file_;
  const Case& case_;
  bool split_;
  std::string log_before_;
  std::map<size_t, std::unique_ptr<Peer>> clients_;
  std::vector<std::unique_ptr<Peer>> upstreams_;
  std::array<Peer*, CaseStage::kUpstreams> current_{};
  std::array<Peer*, CaseStage::kUpstreams> previous_{};
  Exchange exchange_;
};

}  // namespace weir::test
