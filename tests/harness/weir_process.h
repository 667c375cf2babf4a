#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/harness/child_process.h"
#include "tests/harness/socket.h"

namespace weir::test {

// A running proxy with a configuration of the test's own.
class WeirProcess {
 public:
  struct Options {
    std::string config;                        // YAML; @NAME@ is replaced as below
    std::map<std::string, std::string> words;  // NAME -> text, besides the ones below
    std::vector<std::string> arguments;        // after `-c config.yaml`
    std::vector<std::string> environment;      // NAME=value
    rlim_t max_files = 0;
    bool wait_until_ready = true;
  };

  // Replaces @LISTEN@ and @ADMIN@ by ports reserved for it, @LOG@ by its access log's path and
  // @DIR@ by its folder; waits until the first listener accepts and the connection that showed it
  // is over. The program is //proxy:weir, or what the environment variable WEIR names.
  explicit WeirProcess(Options options);

  // Not empty when it did not come up: why, with what it printed.
  const std::string& failure() const { return failure_; }

  uint16_t port() const { return listen_.number(); }
  uint16_t admin_port() const { return admin_.number(); }
  std::string access_log() const { return read_file(folder_ + "/access.log"); }
  std::string output() const { return read_file(folder_ + "/output"); }
  const std::string& folder() const { return folder_; }
  std::string config_path() const { return folder_ + "/config.yaml"; }
  std::string substitute(std::string text) const;
  ChildProcess& process() { return *process_; }

 private:
  void wait_until_ready();
  void wait_until_at_rest();

  ReservedPort listen_;
  ReservedPort admin_;
  std::string folder_;
  std::map<std::string, std::string> words_;
  std::unique_ptr<ChildProcess> process_;
  std::string failure_;
};

// Where the proxy's program is.
std::string weir_program();

}  // namespace weir::test
