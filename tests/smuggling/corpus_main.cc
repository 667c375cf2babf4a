// Runs the corpus of this folder.
#include <gtest/gtest.h>

#include "tests/harness/case_registry.h"
#include "tests/smuggling/corpus_runner.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  weir::test::register_cases("tests/smuggling",
                             [](weir::test::CaseStage& stage, const weir::test::CaseFile& file,
                                const weir::test::Case& test_case, bool split) {
                               return weir::test::CorpusRun(stage, file, test_case, split).run();
                             });
  return RUN_ALL_TESTS();
}
