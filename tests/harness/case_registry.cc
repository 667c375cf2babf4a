#include "tests/harness/case_registry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <vector>

namespace weir::test {
namespace {

// One proxy at a time: cases of a file follow one another.
CaseStage& stage_for(const CaseFile& file) {
  static std::unique_ptr<CaseStage> stage;
  static std::string key;
  std::string wanted = file.config;
  for (const std::string& argument : file.arguments) wanted += '\n' + argument;
  if (stage == nullptr || key != wanted || !stage->weir().process().running()) {
    stage = std::make_unique<CaseStage>(file);
    key = wanted;
  }
  return *stage;
}

class CaseTest : public testing::Test {
 public:
  CaseTest(const RunCase& run, const CaseFile& file, const Case& test_case, bool split)
      : run_(run), file_(file), case_(test_case), split_(split) {}

  void TestBody() override {
    CaseStage& stage = stage_for(file_);
    ASSERT_EQ(stage.failure(), "") << file_.path;
    const std::string problem = run_(stage, file_, case_, split_);
    if (!problem.empty()) ADD_FAILURE() << problem;
  }

 private:
  RunCase run_;
  const CaseFile& file_;
  const Case& case_;
  bool split_;
};

class SyntaxTest : public testing::Test {
 public:
  explicit SyntaxTest(const CaseFile& file) : file_(file) {}
  void TestBody() override {
    for (const std::string& error : file_.errors) ADD_FAILURE() << error;
    EXPECT_FALSE(file_.cases.empty()) << file_.path << " has no case";
  }

 private:
  const CaseFile& file_;
};

void register_case(const std::string& topic, const RunCase& run, const CaseFile& file,
                   const Case& test_case) {
  for (const bool split : {false, true}) {
    if (split && !test_case.splittable) continue;
    const std::string name = test_case.name + (split ? " (one byte a write)" : "");
    testing::RegisterTest(topic.c_str(), name.c_str(), nullptr, nullptr, file.path.c_str(),
                          test_case.line, [&file, &test_case, run, split]() -> testing::Test* {
                            return new CaseTest(run, file, test_case, split);
                          });
  }
}

// Skeletons of configs stand in tests/cases/configs, whoever uses them.
void register_file(const std::filesystem::path& path, const std::string& folder,
                   const RunCase& run) {
  static std::vector<std::unique_ptr<CaseFile>> files;
  const std::string shown = folder + '/' + path.filename().string();
  files.push_back(std::make_unique<CaseFile>(
      parse_case_file(shown, read_file(path.string()), runfile("tests/cases"))));
  const CaseFile& file = *files.back();
  const std::string topic = path.stem().string();
  testing::RegisterTest(topic.c_str(), "syntax", nullptr, nullptr, file.path.c_str(), 1,
                        [&file]() -> testing::Test* { return new SyntaxTest(file); });
  for (const Case& test_case : file.cases) register_case(topic, run, file, test_case);
}

}  // namespace

void register_cases(const std::string& folder, const RunCase& run) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(runfile(folder)))
    if (entry.path().extension() == ".case") paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) register_file(path, folder, run);
}

}  // namespace weir::test
