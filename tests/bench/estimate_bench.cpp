// How near the token estimate comes to real tokenizers: cold, with one ratio, with class weights,
// and with a conversation's beginning known. The calls that count are of other texts than those
// learned from before; each is judged first and learned from then. Prints a line of JSON a figure,
// then the same for people.
#include <weir/types.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <limits>
#include <string>
#include <vector>

#include "corpus.h"
#include "policy/estimator.h"

namespace weir {
namespace {

using policy::Estimator;
using policy::Input;

constexpr std::uint64_t kSeed = 7;
constexpr std::uint64_t kRounds = 10;
constexpr std::size_t kJudged = 100;

std::string for_people;

/// actual/estimated, over calls.
struct Errors {
    std::vector<double> ratios;
    std::size_t covered = 0;
    double held = 0;

    void add(const Estimator& e, const Input& input, double actual) {
        ratios.push_back(actual / e.expected_input(input));
        const double holds = static_cast<double>(e.held_input(input));
        covered += holds >= actual ? 1 : 0;
        held += holds / actual;
    }

    void report(const std::string& tokenizer, const std::string& traffic, const std::string& way) {
        double sum = 0;
        for (const double r : ratios) {
            sum += std::abs(r - 1);
        }
        std::ranges::sort(ratios);
        const double n = static_cast<double>(ratios.size());
        const double p99 = ratios[ratios.size() * 99 / 100];
        const double mean = 100 * sum / n;
        const double share = 100 * static_cast<double>(covered) / n;
        std::printf(
            "{\"bench\": \"estimate\", \"tokenizer\": \"%s\", \"traffic\": \"%s\", \"way\": "
            "\"%s\", "
            "\"mean_error_percent\": %.1f, \"p99_ratio\": %.3f, \"covered_percent\": %.1f, "
            "\"held_ratio\": %.3f}\n",
            tokenizer.c_str(), traffic.c_str(), way.c_str(), mean, p99, share, held / n);
        char line[128];
        std::snprintf(line, sizeof line, "  %-8s %-13s %-13s %8.1f %% %8.2f %9.1f %% %8.2f\n",
                      tokenizer.c_str(), traffic.c_str(), way.c_str(), mean, p99, share, held / n);
        for_people += line;
    }
};

Usage usage_of(std::uint64_t tokens) {
    return Usage{tokens, 100, 0, 0, true};
}

void single_requests(const std::vector<test::Corpus>& corpora, std::size_t tokenizer,
                     std::size_t traffic, bedrock::RequestReader& reader) {
    const std::string name = traffic < corpora.size() ? corpora[traffic].name : "mixed";
    struct Way {
        const char* name;
        bool counts;
        std::size_t learned;
    };
    for (const Way& way : {Way{"cold", true, 0}, Way{"ratio, 200", false, 200},
                           Way{"classes, 50", true, 50}, Way{"classes, 200", true, 200}}) {
        Errors errors;
        for (std::uint64_t round = 0; round < kRounds; ++round) {
            test::Writer writer(corpora, kSeed + round);
            Estimator estimator;
            for (std::size_t i = 0; i < way.learned + kJudged; ++i) {
                const bool judging = i >= way.learned;
                const test::Conversation request = writer.request(traffic, judging);
                const std::uint64_t tokens = request.tokens[tokenizer];
                Input input(test::call_of(reader, request.body()));
                if (!way.counts) {
                    input.counts = {};
                }
                input.conversation = 0;
                if (judging) {
                    errors.add(estimator, input, static_cast<double>(tokens));
                }
                if (way.learned > 0) {
                    estimator.learn_usage(input, usage_of(tokens), tokens);
                }
            }
        }
        errors.report(test::kTokenizerNames[tokenizer], name, way.name);
    }
}

/// Chats of up to ten turns, a hundred at a time, each sending its whole history again.
void conversations(const std::vector<test::Corpus>& corpora, std::size_t tokenizer, bool reuse,
                   bedrock::RequestReader& reader) {
    constexpr std::size_t kChats = 100;
    constexpr std::size_t kTurns = 10;
    test::Writer writer(corpora, kSeed);
    Estimator estimator;
    Errors later;
    for (const bool judging : {false, true}) {
        std::vector<test::Conversation> chats(kChats);
        for (test::Conversation& chat : chats) {
            chat.set_system(writer.piece(writer.below(corpora.size()), judging));
        }
        for (std::size_t turn = 0; turn < kTurns; ++turn) {
            for (test::Conversation& chat : chats) {
                if (turn > 0) {
                    chat.say(writer.pieces(writer.below(corpora.size()), 2, judging));  // answered
                }
                chat.say(writer.pieces(writer.below(corpora.size()), 2, judging));
                const Call call = test::call_of(reader, chat.body());
                Input input(call);
                if (reuse) {
                    estimator.recognise(input, call.conversation);
                }
                const std::uint64_t tokens = chat.tokens[tokenizer];
                if (judging && turn > 0) {
                    later.add(estimator, input, static_cast<double>(tokens));
                }
                estimator.learn_usage(input, usage_of(tokens), tokens);
            }
        }
    }
    later.report(test::kTokenizerNames[tokenizer], "chats, later", reuse ? "beginning" : "classes");
}

/// Nanoseconds of work, the least of many rounds.
template <class Work>
double least(Work work) {
    double best = std::numeric_limits<double>::max();
    for (int round = 0; round < 300; ++round) {
        const auto start = std::chrono::steady_clock::now();
        work();
        best = std::min(
            best, std::chrono::duration<double, std::nano>(std::chrono::steady_clock::now() - start)
                      .count());
    }
    return best;
}

void cost(const std::vector<test::Corpus>& corpora, bedrock::RequestReader& reader) {
    test::Writer writer(corpora, kSeed);
    test::Conversation chat;
    for (int i = 0; i < 61; ++i) {
        chat.say(writer.pieces(writer.below(corpora.size()), 4, false));
    }
    std::string body = chat.body();
    const double reading = least([&] {
        if (!reader.read(bedrock::Operation::converse, "m", Family::anthropic, body)) {
            std::abort();
        }
    });
    const Call call = test::call_of(reader, body);
    Estimator estimator;
    Input input(call);
    input.conversation = 0;
    const double learning =
        least([&] { estimator.learn_usage(input, usage_of(chat.tokens[0]), 1); });
    const double asking = least([&] {
        if (estimator.held_input(input) == 0) {
            std::abort();
        }
    });
    const auto figure = [](const char* name, double value, const char* unit) {
        std::printf(
            "{\"bench\": \"estimate\", \"figure\": \"%s\", \"value\": %.2f, \"unit\": "
            "\"%s\"}\n",
            name, value, unit);
    };
    const double a_byte = reading / static_cast<double>(body.size());
    figure("read_a_byte", a_byte, "ns");
    figure("learn", learning, "ns");
    figure("hold", asking, "ns");
    std::printf(
        "\nestimate\n"
        "  reading a request of %zu KiB   %.2f ns a byte\n"
        "  what to hold for a call        %.0f ns\n"
        "  learning from an answer        %.0f ns\n\n"
        "  model    texts         way            mean error  p99 ratio  covered   held/used\n%s",
        body.size() >> 10, a_byte, asking, learning, for_people.c_str());
}

}  // namespace
}  // namespace weir

int main(int argc, char** argv) {
    try {
        const auto corpora = weir::test::read_corpora(argc > 1 ? argv[1] : WEIR_CORPUS);
        weir::bedrock::RequestReader reader;
        for (std::size_t tokenizer = 0; tokenizer < weir::test::kTokenizers; ++tokenizer) {
            for (std::size_t traffic = 0; traffic <= corpora.size(); ++traffic) {
                weir::single_requests(corpora, tokenizer, traffic, reader);
            }
            weir::conversations(corpora, tokenizer, false, reader);
            weir::conversations(corpora, tokenizer, true, reader);
        }
        weir::cost(corpora, reader);
    } catch (const std::exception& e) {
        std::fprintf(stderr, "estimate_bench: %s\n", e.what());
        return 1;
    }
}
