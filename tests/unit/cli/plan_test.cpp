// `weir plan` as a whole: options, the report, JSON, the picture.

#include "cli/plan_command.h"
#include "observe/access_log.h"
#include "unit/read_file.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace weir::cli {
namespace {

constexpr const char* kModel = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";

class PlanCommand : public ::testing::Test {
public:
    PlanCommand() {
        std::string name = (std::filesystem::temp_directory_path() / "weir-plan-XXXXXX").string();
        folder_ = mkdtemp(name.data());
        std::string text = "timestamp,input,output,client\n";
        for (int i = 0; i < 600; ++i)
            text += std::to_string(i) + ",1000,200," + (i % 3 == 0 ? "etl" : "chat") + "\n";
        options_.calls.trace = write("trace.csv", text);
    }
    ~PlanCommand() override { std::filesystem::remove_all(folder_); }

protected:
    std::string write(const std::string& name, const std::string& text) const {
        const auto path = folder_ / name;
        std::ofstream(path, std::ios::binary) << text;
        return path.string();
    }

    int run() {
        out_.str("");
        err_.str("");
        return run_plan(options_, [](const std::string&) { return std::nullopt; }, out_, err_);
    }

    std::filesystem::path folder_;
    PlanOptions options_;
    std::ostringstream out_;
    std::ostringstream err_;
};

TEST_F(PlanCommand, TheReportFitsAHundredColumns) {
    options_.service.load = 1.2;
    options_.output.compare = true;
    options_.service.foreign = 0.2;
    options_.service.outages = {"us-east-1:100-130"};
    ASSERT_EQ(run(), 0) << err_.str();
    EXPECT_EQ(err_.str(), "");
    std::istringstream lines(out_.str());
    for (std::string line; std::getline(lines, line);)
        EXPECT_LE(line.size(), 100U) << line;
    for (const char* word :
         {"600 calls in 10.0 min", "the article's loop", "AWS SDK, standard", "AWS SDK, adaptive",
          "upper bound", "another program", "Outage   us-east-1 100 to 130 s", "weir, by client",
          "Together", "x 1.14", "60c / (60c + S(M + I - c))", "Second Region: with us-west-2",
          "Fallback: with us.anthropic.claude-haiku", "amazon.nova-premier"})
        EXPECT_NE(out_.str().find(word), std::string::npos) << word << "\n" << out_.str();
}

TEST_F(PlanCommand, JsonHoldsEveryFigure) {
    options_.service.load = 1.2;
    options_.output.compare = true;
    options_.output.json = true;
    ASSERT_EQ(run(), 0) << err_.str();
    const auto all = nlohmann::json::parse(out_.str());
    ASSERT_EQ(all["strategies"].size(), 4U);
    const auto& weir = all["strategies"][0];
    EXPECT_EQ(weir["strategy"], "weir");
    EXPECT_EQ(weir["calls"], 600);
    EXPECT_EQ(weir["quotas"][0]["tokens_per_minute"], 600 * 2000 * 60 / 599 * 10 / 12 + 1);
    EXPECT_EQ(weir["clients"].size(), 2U);
    EXPECT_EQ(weir["models"][0]["name"], kModel);
    EXPECT_EQ(all["advice"]["quotas"][0]["clients"][0]["name"], "chat");
    EXPECT_GT(all["advice"]["second_region"]["by_count"], weir["by_count"]);
    EXPECT_LE(weir["by_count"], all["upper_bound"]["by_count"]);
    // The same again, but for what the machine took.
    const std::string first = out_.str();
    ASSERT_EQ(run(), 0);
    auto again = nlohmann::json::parse(out_.str());
    auto before = nlohmann::json::parse(first);
    for (auto* each : {&again, &before})
        for (auto& row : (*each)["strategies"])
            row.erase("played_in_seconds");
    EXPECT_EQ(again, before);
}

TEST_F(PlanCommand, TheEngineMayHaveToLearn) {
    options_.service.load = 1.5;
    options_.output.json = true;
    ASSERT_EQ(run(), 0) << err_.str();
    const auto told = nlohmann::json::parse(out_.str())["strategies"][0];
    EXPECT_LT(told["refusals_per_success"], 0.1);  // probes alone
    options_.learn = true;
    ASSERT_EQ(run(), 0) << err_.str();
    const auto learned = nlohmann::json::parse(out_.str())["strategies"][0];
    EXPECT_GT(learned["refusals"], 0);
    EXPECT_EQ(learned["quotas"][0]["tokens_per_minute"], told["quotas"][0]["tokens_per_minute"]);
}

TEST_F(PlanCommand, AConfigurationsQuotasRoutesAndRegionsHold) {
    options_.config = write("weir.yaml", std::string("regions: {eu-west-1: {}, eu-central-1: {}}\n"
                                                     "default_region: eu-west-1\n"
                                                     "quotas: [{model: ") +
                                             kModel +
                                             ", tokens_per_minute: 80000}]\n"
                                             "routes: [{model: " +
                                             kModel +
                                             ", targets: [{region: eu-west-1}, {region: "
                                             "eu-central-1}]}]\n");
    options_.output.json = true;
    ASSERT_EQ(run(), 0) << err_.str();
    const auto all = nlohmann::json::parse(out_.str());
    const auto& weir = all["strategies"][0];
    EXPECT_GT(weir["sent_to"]["eu-west-1"], 100);
    EXPECT_GT(weir["sent_to"]["eu-central-1"], 100);
    EXPECT_EQ(weir["quotas"][0]["tokens_per_minute"], 80000);
    EXPECT_EQ(all["advice"]["second_region"], nullptr);  // it has one
}

TEST_F(PlanCommand, YesterdaysAccessLogIsATrace) {
    std::string log;
    for (int i = 0; i < 100; ++i) {
        observe::AccessRecord record;
        record.unix_ms = 1'790'000'000'000 + i * 1000;
        record.client = "chat";
        record.model = kModel;
        record.total_ms = 3000 + (i % 7) * 1000;
        record.queued_ms = 1000;
        if (i % 10 != 0) {
            record.input = 500;
            record.output = 100;
        }
        record.max_tokens = 1000;
        observe::append_access_line(log, record);
        log += '\n';
    }
    options_.calls.trace = write("access.log", log);
    options_.output.json = true;
    ASSERT_EQ(run(), 0) << err_.str();
    const auto all = nlohmann::json::parse(out_.str());
    EXPECT_EQ(all["trace"]["calls"], 90);
    EXPECT_EQ(all["trace"]["lines_without_usage"], 10);
    EXPECT_EQ(all["strategies"][0]["served"], 90);
    EXPECT_EQ(all["strategies"][0]["models"][0]["name"], kModel);
    EXPECT_EQ(all["advice"]["max_tokens"][0]["mean_max_tokens"], 1000);
}

TEST_F(PlanCommand, ThePictureIsWellFormedAndNamesItsAxes) {
    options_.service.load = 1.2;
    options_.output.compare = true;
    options_.service.outages = {"us-east-1:100-130"};
    options_.output.svg = (folder_ / "plan.svg").string();
    ASSERT_EQ(run(), 0) << err_.str();
    const std::string svg = read_file(options_.output.svg);
    EXPECT_TRUE(svg.starts_with("<svg xmlns="));
    EXPECT_TRUE(svg.ends_with("</svg>\n"));
    for (const char* words :
         {"tokens held or settled in the window", "calls waiting", "refusals (429) in each 1 s",
          "minutes since the first call", "the article's loop", "us-east-1 dead", kModel})
        EXPECT_NE(svg.find(words), std::string::npos) << words;
    options_.output.svg = (folder_ / "absent" / "plan.svg").string();
    EXPECT_EQ(run(), 1);
    EXPECT_NE(err_.str().find("cannot be written"), std::string::npos);
}

TEST_F(PlanCommand, WhatATraceCannotTellApartIsLeftOutAndSaid) {
    const std::string model = kModel;
    options_.config =
        write("weir.yaml",
              "regions: {us-east-1: {}}\nquotas:\n- {model: " + model +
                  ", tokens_per_minute: 50000}\n- {model: " + model.substr(3) +
                  ", endpoint: mantle, input_tokens_per_minute: 1}\nroutes:\n- model: " + model +
                  "\n  targets: [{region: us-east-1, tier: reserved}, {region: " +
                  "us-east-1, endpoint: mantle}, {region: us-east-1}]\n");
    ASSERT_EQ(run(), 0) << err_.str();
    EXPECT_NE(err_.str().find("3 targets and quotas of bedrock-mantle"), std::string::npos)
        << err_.str();
    const std::string report = out_.str();
    options_.config =
        write("plain.yaml", "regions: {us-east-1: {}}\nquotas: [{model: " + model +
                                ", tokens_per_minute: 50000}]\nroutes: [{model: " + model +
                                ", targets: [{region: us-east-1}]}]\n");
    ASSERT_EQ(run(), 0) << err_.str();
    EXPECT_EQ(out_.str(), report);
}

TEST_F(PlanCommand, WrongUseIsSaidWithWhatIsAllowed) {
    using Change = void (*)(PlanOptions&);
    const std::pair<Change, const char*> cases[] = {
        {[](PlanOptions& o) { o.calls.trace = "/nonexistent/trace.csv"; }, "cannot be read"},
        {[](PlanOptions& o) { o.calls.trace = "/"; }, "cannot be read"},
        {[](PlanOptions& o) { o.config = "/nonexistent/weir.yaml"; }, "cannot be read"},
        {[](PlanOptions& o) { o.service.window = "minute"; },
         "allowed are sliding, clock, bucket:60s"},
        {[](PlanOptions& o) { o.calls.deadline = "60"; }, "--deadline: \"60\""},
        {[](PlanOptions& o) { o.calls.deadline = "0s"; }, "1ms to 24h"},
        {[](PlanOptions& o) { o.service.ttft = "soon"; }, "--ttft"},
        {[](PlanOptions& o) { o.calls.sort_window = "-1s"; }, "--sort-window"},
        {[](PlanOptions& o) { o.service.quotas = {"m"}; }, "MODEL=TOKENS/REQUESTS"},
        {[](PlanOptions& o) { o.service.quotas = {"m=0"}; }, "MODEL=TOKENS/REQUESTS"},
        {[](PlanOptions& o) { o.service.quotas = {"m=5/"}; }, "MODEL=TOKENS/REQUESTS"},
        {[](PlanOptions& o) { o.service.quotas = {"=5"}; }, "MODEL=TOKENS/REQUESTS"},
        {[](PlanOptions& o) {
             o.service.quotas = {"m=5"};
             o.service.load = 1;
         },
         "allowed is one of them"},
        {[](PlanOptions& o) { o.service.outages = {"us-east-1"}; }, "REGION:FROM-TO"},
        {[](PlanOptions& o) { o.service.outages = {"us-east-1:9-3"}; }, "REGION:FROM-TO"},
        {[](PlanOptions& o) { o.service.outages = {"mars:1-3"}; }, "allowed are us-east-1"},
    };
    const PlanOptions good = options_;
    for (const auto& [change, words] : cases) {
        options_ = good;
        change(options_);
        EXPECT_EQ(run(), 2) << words;
        EXPECT_NE(err_.str().find(words), std::string::npos) << err_.str() << " without " << words;
        EXPECT_EQ(out_.str(), "");
    }
    options_ = good;
    options_.calls.trace = write("bad.csv", "timestamp,input,output\n1,2,3\n2,x,3\n");
    EXPECT_EQ(run(), 2);
    EXPECT_NE(err_.str().find("bad.csv:3: column input: \"x\""), std::string::npos) << err_.str();
    options_.calls.trace = write("empty.csv", "timestamp,input,output\n");
    EXPECT_EQ(run(), 2);
    EXPECT_NE(err_.str().find("holds no call"), std::string::npos);
}

}  // namespace
}  // namespace weir::cli
