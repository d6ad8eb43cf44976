"""An OpenTelemetry collector's HTTP side, which reads what it gets by the code that is generated from OpenTelemetry's own .proto files."""

import base64
import gzip
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from google.protobuf import json_format
from harness import wait_until
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

MESSAGES = {"/v1/traces": ExportTraceServiceRequest, "/v1/metrics": ExportMetricsServiceRequest}
SERVER, CLIENT = Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT
ERROR = Status.STATUS_CODE_ERROR
IDS = {"traceId": 32, "spanId": 16, "parentSpanId": 16}
WIDE = {"timeUnixNano", "startTimeUnixNano", "endTimeUnixNano", "count", "intValue"}  # 64 bits: strings


def by_protobufs_mapping(node):
    """OTLP's JSON as protobuf's own: ids in base64. What OTLP demands beyond that is asserted."""
    if isinstance(node, list):
        return [by_protobufs_mapping(one) for one in node]
    if not isinstance(node, dict):
        return node
    out = {}
    for key, value in node.items():
        if key in IDS:
            assert re.fullmatch(f"[0-9a-f]{{{IDS[key]}}}", value), (key, value)
            value = base64.b64encode(bytes.fromhex(value)).decode()
        elif key in WIDE:
            assert isinstance(value, str) and value.isdigit(), (key, value)
        elif key in ("kind", "code", "aggregationTemporality"):
            assert isinstance(value, int), (key, value)
        out[key] = by_protobufs_mapping(value)
    return out


def value_of(value):
    kind = value.WhichOneof("value")
    return getattr(value, kind) if kind else None


def attributes(thing):
    """As a dict; each key stands there once."""
    pairs = [(one.key, value_of(one.value)) for one in thing.attributes]
    assert len(pairs) == len(dict(pairs)), pairs
    return dict(pairs)


class Trace:
    """The spans of one request: its own, and the attempts below it in order."""

    def __init__(self, spans):
        self.root, = [span for span in spans if span.kind == SERVER]
        self.attempts = [span for span in spans if span.kind == CLIENT]
        assert len(spans) == 1 + len(self.attempts)
        assert len({span.span_id for span in spans}) == len(spans)
        for span in spans:
            assert span.trace_id == self.root.trace_id
            assert self.root.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
            assert span.end_time_unix_nano <= self.root.end_time_unix_nano
            for event in span.events:
                assert span.start_time_unix_nano <= event.time_unix_nano <= span.end_time_unix_nano, event
        for attempt in self.attempts:
            assert attempt.parent_span_id == self.root.span_id
        starts = [attempt.start_time_unix_nano for attempt in self.attempts]
        assert starts == sorted(starts)

    @property
    def id(self):
        return self.root.trace_id.hex()

    @property
    def attributes(self):
        return attributes(self.root)

    def events(self, name):
        return [attributes(event) for event in self.root.events if event.name == name]


class Receiver:
    """`reply(path)` gives status, headers and body of an answer; by default all is taken."""

    def __init__(self, reply=None):
        self.reply = reply or (lambda path: (200, {}, b"{}"))
        self.requests = []  # path, headers, message, body; whether it was taken
        self.lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                status, headers, answer = outer.take(self.path, self.headers, body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.port = self.server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def take(self, path, headers, body):
        try:
            if headers["Content-Type"] == "application/x-protobuf":
                message = MESSAGES[path].FromString(body)
            else:
                assert headers["Content-Type"] == "application/json", headers["Content-Type"]
                message = MESSAGES[path]()
                json_format.ParseDict(by_protobufs_mapping(json.loads(body)), message, ignore_unknown_fields=False)
        except Exception as wrong:
            message = wrong
        status, fields, answer = self.reply(path)
        with self.lock:
            self.requests.append((path, headers, message, body, status == 200))
        return status, fields, answer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def messages(self, path):
        with self.lock:
            found = [(message, taken) for at, _, message, _, taken in self.requests if at == path]
        for message, _ in found:
            if isinstance(message, Exception):
                raise AssertionError("what came is no message of OTLP") from message
        return [message for message, taken in found if taken]

    def text(self):
        with self.lock:
            return b"".join(body for _, _, _, body, _ in self.requests).decode()

    def resources(self):
        return [attributes(one.resource) for message in self.messages("/v1/traces") for one in message.resource_spans]

    def traces(self):
        """By the id of the request."""
        roots, below = {}, {}
        for message in self.messages("/v1/traces"):
            for resource in message.resource_spans:
                for scope in resource.scope_spans:
                    for span in scope.spans:
                        if span.kind == SERVER:
                            assert span.span_id not in roots, "sent twice"
                            roots[span.span_id] = span
                        else:
                            below.setdefault(span.parent_span_id, []).append(span)
        return {
            attributes(root)["weir.request_id"]: Trace([root, *below.get(key, [])]) for key, root in roots.items()
        }

    def trace(self, request_id, timeout=10):
        return wait_until(lambda: self.traces().get(request_id), timeout, f"the trace of {request_id}")

    def metrics(self):
        """Of the latest export, by name."""
        messages = self.messages("/v1/metrics")
        if not messages:
            return {}
        scope, = messages[-1].resource_metrics[0].scope_metrics
        found = {metric.name: metric for metric in scope.metrics}
        assert len(found) == len(scope.metrics)
        return found

    def quiet(self, seconds=2.5):
        """Nothing that is under way is left."""
        time.sleep(seconds)
