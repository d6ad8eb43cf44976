// One change to a good configuration, and the one complaint that must come of it.
#pragma once

#include <weir/config.h>

#include <gtest/gtest.h>

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir {

struct Mistake {
    std::function<void(Config&)> make;
    std::string_view path;
    std::string_view words;  // part of the message
};

inline RouteTarget in_region(std::string region) {
    RouteTarget target;
    target.region = std::move(region);
    return target;
}
inline ClientConfig named(std::string name) {
    ClientConfig client;
    client.name = std::move(name);
    return client;
}
inline QuotaConfig of_model(std::string model) {
    QuotaConfig quota;
    quota.models = {std::move(model)};
    return quota;
}

inline std::string listed(const std::vector<Problem>& problems) {
    std::string text;
    for (const Problem& problem : problems) {
        text += problem.path + ": " + problem.message + "\n";
    }
    return text;
}

inline void expect_each(const Config& good,
                        const std::function<std::vector<Problem>(const Config&)>& judge,
                        std::initializer_list<Mistake> mistakes) {
    EXPECT_EQ(listed(judge(good)), "");
    for (const Mistake& mistake : mistakes) {
        SCOPED_TRACE(std::string(mistake.path) + ": " + std::string(mistake.words));
        Config config = good;
        mistake.make(config);
        const auto problems = judge(config);
        ASSERT_EQ(problems.size(), 1U) << listed(problems);
        EXPECT_EQ(problems[0].path, mistake.path);
        EXPECT_NE(problems[0].message.find(mistake.words), std::string::npos)
            << problems[0].message;
    }
}

inline void expect_good(const Config& good,
                        std::initializer_list<std::function<void(Config&)>> changes) {
    std::size_t number = 0;
    for (const auto& change : changes) {
        Config config = good;
        change(config);
        EXPECT_EQ(listed(validate(config)), "") << "change " << number;
        ++number;
    }
}

}  // namespace weir
