// Texts of our own with what real tokenizers make of them (see count_tokens), and requests made of
// them.
#pragma once

#include "bedrock/request.h"

#include <cstddef>
#include <cstdint>
#include <fstream>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace weir::test {

inline constexpr std::size_t kTokenizers = 3;
inline constexpr const char* kTokenizerNames[kTokenizers] = {"claude", "cl100k", "o200k"};

struct Piece {
    std::string text;
    std::uint64_t tokens[kTokenizers];
};

struct Corpus {
    std::string name;
    std::vector<Piece> pieces;
};

inline std::vector<Corpus> read_corpora(const std::string& folder) {
    std::ifstream counts(folder + "/counts.tsv");
    std::string line;
    std::getline(counts, line);  // names of the columns
    std::vector<Corpus> corpora;
    std::ifstream texts;
    while (std::getline(counts, line)) {
        std::istringstream fields(line);
        std::string name;
        std::size_t index = 0;
        std::size_t bytes = 0;
        Piece piece;
        fields >> name >> index >> bytes >> piece.tokens[0] >> piece.tokens[1] >> piece.tokens[2];
        if (corpora.empty() || corpora.back().name != name) {
            corpora.push_back({name, {}});
            texts = std::ifstream(folder + "/" + name + ".txt");
        }
        std::string text;
        for (std::string row; std::getline(texts, row) && row != "%%";) {
            text += text.empty() ? row : "\n" + row;
        }
        if (!fields || index != corpora.back().pieces.size() || text.size() != bytes) {
            throw std::runtime_error("counts.tsv is not of these texts: run count_tokens again");
        }
        piece.text = std::move(text);
        corpora.back().pieces.push_back(std::move(piece));
    }
    if (corpora.empty()) {
        throw std::runtime_error("no texts in " + folder);
    }
    return corpora;
}

inline std::string json_string(std::string_view text) {
    std::string out = "\"";
    for (const char c : text) {
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (c == '\n') {
            out += "\\n";
        } else if (c == '\t') {
            out += "\\t";
        } else {
            out += c;
        }
    }
    return out + '"';
}

/// A conversation as Converse takes it, and what a tokenizer would count. What the service adds for
/// frames is not published; these numbers differ from the prior's on purpose.
struct Conversation {
    static constexpr std::uint64_t kRequest = 5;
    static constexpr std::uint64_t kMessage = 6;

    std::string system;
    std::vector<std::string> messages;
    std::uint64_t tokens[kTokenizers] = {kRequest, kRequest, kRequest};

    void set_system(const Piece& piece) {
        system = "\"system\":[{\"text\":" + json_string(piece.text) + "}],";
        count(piece);
    }

    void say(const std::vector<const Piece*>& pieces) {
        std::string message = "{\"role\":";
        message += messages.size() % 2 == 0 ? "\"user\"" : "\"assistant\"";
        message += ",\"content\":[";
        for (const Piece* piece : pieces) {
            message += message.ends_with('[') ? "" : ",";
            message += "{\"text\":" + json_string(piece->text) + "}";
            count(*piece);
        }
        messages.push_back(message + "]}");
        for (std::uint64_t& t : tokens) {
            t += kMessage;
        }
    }

    std::string body() const {
        std::string body = "{" + system + "\"messages\":[";
        for (const std::string& message : messages) {
            body += body.ends_with('[') ? "" : ",";
            body += message;
        }
        return body + "]}";
    }

private:
    void count(const Piece& piece) {
        for (std::size_t i = 0; i < kTokenizers; ++i) {
            tokens[i] += piece.tokens[i];
        }
    }
};

/// Draws from every second piece, so that what is learned from is not what is judged by.
class Writer {
public:
    Writer(const std::vector<Corpus>& corpora, std::uint64_t seed)
        : corpora_(corpora), random_(seed) {}

    std::size_t below(std::size_t n) { return random_() % n; }

    const Piece& piece(std::size_t corpus, bool judging) {
        const std::vector<Piece>& pieces = corpora_[corpus].pieces;
        return pieces[below(pieces.size() / 2) * 2 + (judging ? 1 : 0)];
    }

    std::vector<const Piece*> pieces(std::size_t corpus, std::size_t most, bool judging) {
        std::vector<const Piece*> some(1 + below(most));
        for (const Piece*& p : some) {
            p = &piece(corpus, judging);
        }
        return some;
    }

    /// One to three messages of one kind of text; of any kind with `corpus` past the last.
    Conversation request(std::size_t corpus, bool judging) {
        Conversation c;
        const auto kind = [&] {
            return corpus < corpora_.size() ? corpus : below(corpora_.size());
        };
        std::size_t now = kind();
        const std::size_t turns = 1 + 2 * below(2);
        for (std::size_t i = 0; i < turns; ++i) {
            now = below(3) == 0 ? kind() : now;
            c.say(pieces(now, 4, judging));
        }
        return c;
    }

private:
    const std::vector<Corpus>& corpora_;
    std::mt19937_64 random_;
};

/// The estimator's view of a body, as the gateway makes it; the reader keeps the conversation.
inline Call call_of(bedrock::RequestReader& reader, std::string body) {
    const auto facts =
        reader.read(bedrock::Operation::converse, "m", Family::anthropic, body).value();
    Call call;
    call.input_estimate = facts.input_estimate;
    call.input_counts = facts.input_counts;
    call.conversation = reader.conversation();
    return call;
}

}  // namespace weir::test
