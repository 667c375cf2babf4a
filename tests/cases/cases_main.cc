// Runs the textual cases of this folder.
#include <gtest/gtest.h>

#include "tests/harness/case_registry.h"

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  weir::test::register_cases("tests/cases",
                             [](weir::test::CaseStage& stage, const weir::test::CaseFile& file,
                                const weir::test::Case& test_case, bool split) {
                               return weir::test::CaseRun(stage, file, test_case, split).run();
                             });
  return RUN_ALL_TESTS();
}
