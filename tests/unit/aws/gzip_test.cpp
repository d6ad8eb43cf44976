// Compressed bodies: zlib reads them back.
#include "aws/gzip.h"

#include "aws/api.h"
#include "unit/aws/world.h"

#include <gtest/gtest.h>
#include <zlib.h>
#include <nlohmann/json.hpp>

namespace weir::aws {
namespace {

using namespace test;
using Json = nlohmann::json;

std::string plain(std::string_view compressed, std::size_t most) {
    std::string out(most, '\0');
    z_stream stream{};
    EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
    stream.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(compressed.data()));
    stream.avail_in = static_cast<uInt>(compressed.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
    out.resize(stream.total_out);
    inflateEnd(&stream);
    return out;
}

TEST(Gzip, IsReadBackByZlib) {
    for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{300'000}}) {
        const std::string text(size, 'x');
        const std::string small = gzipped(text);
        EXPECT_EQ(plain(small, size + 1), text);
    }
    EXPECT_LT(gzipped(std::string(300'000, 'x')).size(), 2000U);
}

TEST(Gzip, OnlyLargeMetricDataAreCompressed) {
    LocalService service([](const SeenRequest&) { return Reply{200, "{}"}; });
    AwsConfig config;
    config.endpoint = service.url();
    Environment environment;
    environment.variable = [](const std::string&) { return std::nullopt; };
    auto keys = std::make_shared<Credentials>();
    keys->access_key_id = "AKID";
    keys->secret_access_key = "secret";
    const ApiClient api(
        config, environment, [keys] { return keys; },
        ApiTiming{.connect = 1s, .answer = 2s, .attempts = 1, .delay = 1ms});
    const ApiPlace cloudwatch{ApiService::cloudwatch, "us-east-1"};
    const Json small{{"Namespace", "Weir"}};
    const Json large{{"Namespace", std::string(20'000, 'w')}};
    for (const auto& [operation, input, compressed] :
         {std::tuple("PutMetricData", small, false), std::tuple("PutMetricData", large, true),
          std::tuple("PutDashboard", large, false)}) {
        ASSERT_TRUE(api.json(cloudwatch, operation, input, kGoOn));
        const SeenRequest seen = service.seen().back();
        EXPECT_EQ(seen.has("content-encoding: gzip"), compressed) << operation;
        EXPECT_EQ(seen.has("SignedHeaders=content-encoding;"), compressed) << "it is signed";
        const std::string body = seen.text.substr(seen.text.find("\r\n\r\n") + 4);
        EXPECT_EQ(compressed ? plain(body, 30'000) : body, input.dump());
    }
}

}  // namespace
}  // namespace weir::aws
