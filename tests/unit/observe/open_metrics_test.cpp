#include "observe/open_metrics.h"

#include <gtest/gtest.h>

#include <cmath>

namespace weir::observe {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

TEST(OpenMetrics, IsWrittenWhereItIsPreferred) {
    EXPECT_TRUE(accepts_open_metrics("application/openmetrics-text"));
    EXPECT_TRUE(accepts_open_metrics(
        "application/openmetrics-text;version=1.0.0;q=0.5,application/openmetrics-text;"
        "version=0.0.1;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"));
    EXPECT_TRUE(accepts_open_metrics("text/plain;q=0.5 , application/openmetrics-text ; q=0.7"));
    for (const char* accept :
         {"", "*/*", "text/plain", "application/json", "application/openmetrics-text;q=0",
          "text/plain;version=0.0.4,application/openmetrics-text;q=0.1",
          "application/openmetrics-text;q=x"}) {
        EXPECT_FALSE(accepts_open_metrics(accept)) << accept;
    }
}

MetricFamily family(std::string name, MetricType type) {
    MetricFamily made{std::move(name), "What it is.", type, {{}}};
    return made;
}

TEST(OpenMetrics, CountersAndGauges) {
    MetricFamily counter = family("weir_x_total", MetricType::Counter);
    counter.metric[0].label = {{"a", "quote \" back \\ line \n end"}, {"b", ""}};
    counter.metric[0].counter.value = 3;
    MetricFamily gauge = family("weir_g", MetricType::Gauge);
    gauge.metric[0].gauge.value = -0.25;
    MetricFamily odd = family("weir_odd", MetricType::Counter);
    odd.help = "Line\nand \"quote\"";
    EXPECT_EQ(to_open_metrics({counter, gauge, odd}, {}),
              "# TYPE weir_x counter\n"
              "# HELP weir_x What it is.\n"
              "weir_x_total{a=\"quote \\\" back \\\\ line \\n end\",b=\"\"} 3.0\n"
              "# TYPE weir_g gauge\n"
              "# HELP weir_g What it is.\n"
              "weir_g -0.25\n"
              "# TYPE weir_odd unknown\n"
              "# HELP weir_odd Line\\nand \\\"quote\\\"\n"
              "weir_odd 0.0\n"
              "# EOF\n");
    gauge.metric[0].gauge.value = std::nan("");
    EXPECT_NE(to_open_metrics({gauge}, {}).find("weir_g NaN\n"), std::string::npos);
    gauge.metric[0].gauge.value = 1e300;
    EXPECT_NE(to_open_metrics({gauge}, {}).find("weir_g 1e+300\n"), std::string::npos);
    EXPECT_EQ(to_open_metrics({}, {}), "# EOF\n");
}

TEST(OpenMetrics, ExemplarsStandAtTheirBuckets) {
    MetricFamily seconds = family("weir_request_seconds", MetricType::Histogram);
    seconds.metric[0].label = {{"model", "m"}};
    seconds.metric[0].histogram = {3, 4.5, {{1, 0.5}, {2, 1}, {3, INFINITY}}};
    const std::vector<double> bounds{0.5, 1};
    Exemplars exemplars;
    exemplars.keep("weir_request_seconds", "m", bounds, {0.75, {1, 2}, 1'790'000'000'123});
    exemplars.keep("weir_request_seconds", "m", bounds, {3, {3, 4}, 1'790'000'000'000});
    exemplars.keep("weir_request_seconds", "m", bounds, {2, {5, 6}, 1'790'000'000'000});
    exemplars.keep("weir_request_seconds", "other", bounds, {0.1, {7, 8}, 0});
    EXPECT_EQ(to_open_metrics({seconds}, exemplars),
              "# TYPE weir_request_seconds histogram\n"
              "# HELP weir_request_seconds What it is.\n"
              "weir_request_seconds_bucket{model=\"m\",le=\"0.5\"} 1\n"
              "weir_request_seconds_bucket{model=\"m\",le=\"1.0\"} 2 # "
              "{trace_id=\"00000000000000010000000000000002\"} 0.75 1790000000.123\n"
              "weir_request_seconds_bucket{model=\"m\",le=\"+Inf\"} 3 # "
              "{trace_id=\"00000000000000050000000000000006\"} 2.0 1790000000.0\n"
              "weir_request_seconds_count{model=\"m\"} 3\n"
              "weir_request_seconds_sum{model=\"m\"} 4.5\n"
              "# EOF\n");
    exemplars.clear();
    EXPECT_EQ(to_open_metrics({seconds}, exemplars).find('{' + std::string("trace")),
              std::string::npos);
}

}  // namespace
}  // namespace weir::observe
