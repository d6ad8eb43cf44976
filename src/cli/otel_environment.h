// The variables by which OpenTelemetry is set up for a whole machine or pod.
#pragma once

#include "cli/config_file.h"
#include "cli/map_reader.h"

#include <weir/config.h>

namespace weir::cli {

/// OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_EXPORTER_OTLP_HEADERS, OTEL_SERVICE_NAME,
/// OTEL_RESOURCE_ATTRIBUTES, OTEL_SDK_DISABLED, for what the file does not say. An endpoint for the
/// protocol `grpc`, which weir does not speak, is passed over. A malformed value is
/// ignored with a warning, as OpenTelemetry asks: the variables are set for every program of a pod.
void apply_otel_environment(Reading& reading, const Getenv& getenv, OtlpConfig& otlp);

}  // namespace weir::cli
