"""OpenTelemetry: traces and metrics over OTLP/HTTP, trace context, exemplars."""

import json
import os
import shutil
import subprocess
import time

import pytest
from harness import EAST, ROOM_FOR_ONE, SONNET, WEST, ask, command, free_port, reply_that_waited, say, wait_until
from otlp_receiver import CLIENT, ERROR, SERVER, Receiver, attributes
from prometheus_client.openmetrics import parser as openmetrics
from scripted import OK, answer, reset
from test_upstream_bytes import Pair

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"
OPENAI = "openai.gpt-oss-120b-1:0"
BOTH = [{"model": SONNET, "targets": [{"region": EAST}, {"region": WEST}]}]


@pytest.fixture
def receiver():
    with Receiver() as made:
        yield made


def otlp(receiver, **more):
    return {"otlp": {"endpoint": receiver.url, "sample": 1, "metrics": False, **more}}


def id_of(reply):
    return reply.headers["x-weir-request-id"]


def fields_of(request):
    """Header fields of a request as upstream got it, lower case; each once."""
    lines = [line.split(b": ", 1) for line in request.split(b"\r\n\r\n")[0].split(b"\r\n")[1:]]
    fields = {name.decode().lower(): value.decode() for name, value in lines}
    assert len(fields) == len(lines), request
    return fields


# Traces.


@pytest.mark.parametrize("path, body, operation", [
    (f"/model/{SONNET}/converse", say("a secret prompt"), "chat"),
    (f"/model/{SONNET}/converse-stream", say("a secret prompt"), "chat"),
    (f"/model/{SONNET}/invoke", {"anthropic_version": "bedrock-2023-05-31", "max_tokens": 9,
                                 "messages": [{"role": "user", "content": "a secret prompt"}]}, "chat"),
    ("/openai/v1/chat/completions", {"model": OPENAI, "stream": True,
                                     "messages": [{"role": "user", "content": "a secret prompt"}]}, "chat"),
    ("/anthropic/v1/messages", {"model": SONNET, "max_tokens": 9,
                                "messages": [{"role": "user", "content": "a secret prompt"}]}, "chat"),
], ids=["converse", "converse-stream", "invoke", "openai", "anthropic"])
def test_an_answered_call(start, receiver, protocol, path, body, operation):
    s = start(weir=otlp(receiver, attributes={"deployment.environment.name": "test"}, service="gate"))
    reply = s.weir.ask("POST", path, body, {"Content-Type": "application/json", "x-weir-client": "app"})
    assert reply.status == 200
    trace = receiver.trace(id_of(reply))
    line = s.weir.line(id=id_of(reply))
    model = body.get("model", SONNET)
    root, attempt = trace.root, trace.attempts[0]
    assert len(trace.attempts) == 1
    assert root.name == f"{operation} {model}" and attempt.name == f"{operation} {line['target_model']}"
    assert root.kind == SERVER and attempt.kind == CLIENT
    assert root.parent_span_id == b"" and root.status.code == 0 and attempt.status.code == 0
    assert root.flags & 3 == 3, "sampled, and with a random id"
    of_root, of_attempt = trace.attributes, attributes(attempt)
    for of in (of_root, of_attempt):
        assert of["gen_ai.operation.name"] == operation
        assert of["gen_ai.provider.name"] == "aws.bedrock"
        assert of["gen_ai.request.model"] == model
        assert of["http.response.status_code"] == 200
    assert of_root["weir.client"] == "app" and of_root["weir.outcome"] == "ok"
    assert of_root["weir.operation"] == line["operation"] and of_root["weir.attempts"] == 1
    assert of_attempt["gen_ai.usage.input_tokens"] == line["input"] + line["cache_read"] + line["cache_write"]
    assert of_attempt["gen_ai.usage.output_tokens"] == line["output"]
    assert "gen_ai.usage.output_tokens" not in of_root, "whoever adds up would count it twice"
    assert of_attempt["aws.request_id"] == line["upstream_request_id"]
    assert of_attempt["cloud.region"] == EAST
    assert of_attempt["server.address"] == "127.0.0.1" and of_attempt["server.port"] == s.sim.ports[EAST]
    streams = bool(line["stream"])
    assert of_attempt.get("gen_ai.request.stream", False) is streams
    assert ("gen_ai.response.time_to_first_chunk" in of_attempt) is streams
    assert [event.name for event in attempt.events] == ["weir.sent", "weir.answer_head"]
    took = (root.end_time_unix_nano - root.start_time_unix_nano) / 1e6
    assert abs(took - line["total_ms"]) <= 2
    assert receiver.resources()[0] | {"service.instance.id": 0} == {
        "service.name": "gate", "service.instance.id": 0, "service.version": of_version(),
        "deployment.environment.name": "test"}
    assert "secret" not in receiver.text() and "dummy" not in receiver.text()


def of_version():
    return command("--version").stdout.split()[-1]


def test_a_call_that_waited(start, receiver):
    s = start(weir={**ROOM_FOR_ONE, **otlp(receiver)})
    reply = reply_that_waited(s)
    trace = receiver.trace(id_of(reply))
    wait, = trace.events("weir.wait")
    assert wait["weir.wait.cause"] == "quota" and wait["cloud.region"] == EAST
    assert wait["weir.limit.kind"] == "tokens" and wait["weir.limit.value"] == 2000
    assert wait["weir.wait.duration"] > 0.1
    assert trace.attributes["weir.queue.duration"] == pytest.approx(wait["weir.wait.duration"])
    gap = (trace.attempts[0].start_time_unix_nano - trace.root.start_time_unix_nano) / 1e9
    assert gap >= wait["weir.wait.duration"] - 0.001

    left = wait_until(lambda: [t for t in receiver.traces().values()
                               if t.attributes["weir.outcome"] == "cancelled"])[0]
    assert left.root.status.code == 0 and left.attributes["error.type"] == "cancelled"
    assert "http.response.status_code" not in left.attributes, "nothing was sent"


def test_a_call_that_spilled(start, receiver):
    route = {"model": SONNET, "targets": [{"region": EAST}, {"region": WEST}], "spill_after": "0s"}
    s = start(weir={"routes": [route], "quotas": [{"model": SONNET, "region": EAST, "requests_per_minute": 1}],
                    **otlp(receiver)})
    replies = [s.weir.converse() for _ in range(3)]
    spilled = [r for r in replies if WEST in r.headers["x-weir-target"]]
    assert spilled
    trace = receiver.trace(id_of(spilled[-1]))
    spill, = trace.events("weir.spill")
    assert spill["cloud.region"] == WEST and spill["weir.spill.cause"] == "quota"
    assert attributes(trace.attempts[0])["weir.choice"] == "spilled"


def test_a_call_that_fell_back(start, receiver):
    s = start(weir={"routes": BOTH, **otlp(receiver)})
    s.sim.fault("unavailable", region=EAST)
    trace = receiver.trace(id_of(s.weir.converse()))
    first, last = trace.attempts[0], trace.attempts[-1]
    assert first.status.code == ERROR and attributes(first)["error.type"] == "ServiceUnavailableException"
    assert attributes(first)["http.response.status_code"] == 503 and attributes(first)["cloud.region"] == EAST
    assert "gen_ai.usage.output_tokens" not in attributes(first)
    assert last.status.code == 0 and attributes(last)["cloud.region"] == WEST
    assert attributes(last)["http.request.resend_count"] == len(trace.attempts) - 1
    fallback = trace.events("weir.fallback")[-1]
    assert fallback["cloud.region"] == WEST and fallback["weir.after"] == "ServiceUnavailableException"
    assert trace.root.status.code == 0 and trace.attributes["weir.attempts"] == len(trace.attempts)


def test_a_call_that_was_tried_again(tmp_path, receiver):
    replies = [answer(b'{"message":"busy"}', "500 Internal Server Error"), answer()]
    with Pair(tmp_path, lambda connection, request: replies.pop(0) if len(replies) > 1 else answer(),
              routes=[{"model": SONNET, "targets": [{"region": EAST}]}], **otlp(receiver)) as pair:
        reply = pair.weir.converse()
        assert reply.status == 200
        trace = receiver.trace(id_of(reply))
        assert len(trace.attempts) == 2
        retry, = trace.events("weir.retry")
        assert retry["cloud.region"] == EAST
        told = [fields_of(request)["traceparent"] for request in pair.east.requests]
        assert told == [f"00-{trace.id}-{attempt.span_id.hex()}-03" for attempt in trace.attempts]


def test_a_stream_that_broke(start, receiver):
    s = start(weir=otlp(receiver))
    body = {"messages": [{"role": "user", "content": [{"text": "[[fault=mid_stream_reset]] [[output=60]]"}]}],
            "inferenceConfig": {"maxTokens": 100}}
    reply = s.weir.ask("POST", f"/model/{SONNET}/converse-stream", body)
    trace = receiver.trace(id_of(reply))
    assert trace.attributes["weir.outcome"] == "broken_stream"
    assert trace.root.status.code == ERROR and trace.attempts[-1].status.code == ERROR
    assert attributes(trace.attempts[-1])["error.type"]
    assert [event.name for event in trace.root.events] == ["weir.first_content"]


def test_a_refusal(start, receiver):
    s = start(weir={"quotas": [{"model": SONNET, "tokens_per_minute": 1000}], **otlp(receiver, sample=0)})
    reply = s.weir.converse(max_tokens=5000)
    assert reply.status == 400
    trace = receiver.trace(id_of(reply))
    assert trace.attempts == []
    refusal, = trace.events("weir.refusal")
    assert refusal["weir.refusal.reason"] == "never_fits" and refusal["weir.limit.value"] == 1000
    assert trace.attributes["http.response.status_code"] == 400
    assert trace.attributes["error.type"] == "ValidationException"
    assert trace.root.status.code == 0, "the caller's fault, as for any server"


def test_what_is_no_inference(start, receiver):
    s = start(weir=otlp(receiver))
    counted = s.weir.ask("POST", f"/model/{SONNET}/count-tokens", {"input": {"converse": {"messages": []}}})
    unknown = s.weir.ask("POST", "/no/such/path", {})
    trace = receiver.trace(id_of(counted))
    assert trace.root.name == f"CountTokens {SONNET}" and len(trace.attempts) == 1
    assert "gen_ai.operation.name" not in trace.attributes
    assert receiver.trace(id_of(unknown)).attributes["http.response.status_code"] == 404


# Context and sampling.


def test_the_callers_trace_goes_on(tmp_path, receiver, protocol):
    with Pair(tmp_path, None, **otlp(receiver, sample=0)) as pair:
        reply = pair.weir.converse(headers={"traceparent": PARENT, "tracestate": "rojo=1,congo=2",
                                            "X-Amzn-Trace-Id": f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={SPAN};Sampled=1"})
        trace = receiver.trace(id_of(reply))
        assert trace.id == TRACE and trace.root.parent_span_id.hex() == SPAN
        assert trace.root.trace_state == "rojo=1,congo=2"
        assert trace.root.flags == 0x301, "the parent is remote"
        assert trace.attempts[0].flags == 0x101
        fields = fields_of(pair.east.requests[0])
        span = trace.attempts[0].span_id.hex()
        assert fields["traceparent"] == f"00-{TRACE}-{span}-01"
        assert fields["tracestate"] == "rojo=1,congo=2"
        assert fields["x-amzn-trace-id"] == f"Root=1-{TRACE[:8]}-{TRACE[8:]};Parent={span};Sampled=1"
        signed = fields["authorization"].split("SignedHeaders=")[1].split(",")[0]
        assert "trace" not in signed


def test_xrays_field_alone_names_the_trace(tmp_path, receiver):
    with Pair(tmp_path, None, **otlp(receiver)) as pair:
        root = "Root=1-5759e988-bd862e3fe1be46a994272793"
        reply = pair.weir.converse(headers={"X-Amzn-Trace-Id": f"{root};Parent={SPAN};Sampled=1"})
        trace = receiver.trace(id_of(reply))
        assert trace.id == "5759e988bd862e3fe1be46a994272793" and trace.root.parent_span_id.hex() == SPAN
        fields = fields_of(pair.east.requests[0])
        assert fields["x-amzn-trace-id"] == f"{root};Parent={trace.attempts[0].span_id.hex()};Sampled=1"


def test_without_traces_the_fields_go_on_as_they_came(tmp_path, protocol):
    with Pair(tmp_path, None) as pair:
        sent = {"traceparent": "00-zz", "tracestate": "a=1", "x-amzn-trace-id": "Root=1"}
        assert pair.weir.converse(headers=sent).status == 200
        assert pair.weir.converse().status == 200
        fields = fields_of(pair.east.requests[0])
        assert {name: fields[name] for name in sent} == sent
        assert not sent.keys() & fields_of(pair.east.requests[1]).keys(), "none is invented"


def test_what_is_sampled_and_what_is_kept(tmp_path, receiver):
    replies = {}
    behave = lambda connection, request: answer(b'{"message":"no"}', "400 Bad Request", ["x-amzn-ErrorType: ValidationException"]) \
        if b"please fail" in request else answer()
    with Pair(tmp_path, behave, behave, **otlp(receiver, sample=0)) as pair:
        replies["new"] = pair.weir.converse()
        replies["asked"] = pair.weir.converse(headers={"traceparent": PARENT})
        replies["asked not"] = pair.weir.converse(headers={"traceparent": PARENT[:-1] + "0"})
        replies["failed"] = pair.weir.converse("please fail")
        replies["failed, asked not"] = pair.weir.converse("please fail", headers={"traceparent": PARENT[:-1] + "0"})
        receiver.trace(id_of(replies["failed, asked not"]))
        kept = {name for name, reply in replies.items() if id_of(reply) in receiver.traces()}
        assert kept == {"asked", "failed", "failed, asked not"}
        flags = [fields_of(request)["traceparent"][-2:] for request in pair.east.requests]
        assert flags == ["02", "01", "00", "02", "00"], "upstream is told what was known then"

        pair.weir.write(otlp(receiver, sample=0, keep_trouble=False))
        assert ask(pair.weir.admin, "POST", "/reload").status == 200
        before = len(receiver.traces())
        assert pair.weir.converse("please fail").status == 400
        last = pair.weir.converse(headers={"traceparent": PARENT})
        receiver.trace(id_of(last))
        assert len(receiver.traces()) == before + 1


def test_one_caller_cannot_flood_the_collector(start, receiver):
    s = start(weir={"workers": 1, **otlp(receiver, sample=0)})
    for _ in range(300):
        assert s.weir.ask("POST", "/no/such/path", {}).status == 404
    # A burst of 100, and 20 a second.
    wait_until(lambda: s.weir.metrics().sum("weir_otlp_dropped_total", signal="traces", reason="rate") > 50)
    receiver.quiet()
    metrics = s.weir.metrics()
    sent, dropped = (metrics.sum(f"weir_otlp_{what}_total", signal="traces") for what in ("sent", "dropped"))
    assert sent + dropped == 300 and sent == len(receiver.traces()) >= 100


# Export.


def test_header_fields_and_reload(start, receiver):
    with Receiver() as other:
        s = start(weir={"otlp": {"endpoint": receiver.url + "/", "sample": 1, "headers": "api-key=a%3Db%20c,x-two=2"}})
        receiver.trace(id_of(s.weir.converse()))
        path, headers, _, body, _ = receiver.requests[0]
        assert headers["api-key"] == "a=b c" and headers["x-two"] == "2"
        assert headers["Content-Encoding"] == "gzip" and headers["Content-Type"] == "application/json"
        s.weir.write(otlp(other, headers=""))
        assert ask(s.weir.admin, "POST", "/reload").status == 200
        reply = s.weir.converse()
        other.trace(id_of(reply))
        assert id_of(reply) not in receiver.traces()
        s.weir.write({"otlp": None})
        assert ask(s.weir.admin, "POST", "/reload").status == 200
        seen = len(other.requests)
        assert s.weir.converse().status == 200
        other.quiet()
        assert len(other.requests) == seen, "it is off"
        assert "a=b c" not in s.weir.log() and "a%3Db" not in s.weir.log()


@pytest.mark.parametrize("status, headers", [(503, {"Retry-After": "1"}), (429, {}), (502, {}), (504, {})])
def test_a_collector_that_is_busy_gets_it_later(start, status, headers):
    busy = [True]
    with Receiver(lambda path: (status, headers, b"{}") if busy[0] else (200, {}, b"{}")) as receiver:
        s = start(weir=otlp(receiver))
        reply = s.weir.converse()
        wait_until(lambda: receiver.requests)
        busy[0] = False
        receiver.trace(id_of(reply))
        assert s.weir.log().count("does not take traces") == 1
        wait_until(lambda: s.weir.metrics().sum("weir_otlp_sent_total", signal="traces") == 1)
        wait_until(lambda: "takes traces again" in s.weir.log())


def test_a_collector_that_cannot_be_reached(start):
    with Receiver() as receiver:
        s = start(weir={"otlp": {"endpoint": f"http://127.0.0.1:{free_port()}", "sample": 1}})
        assert s.weir.converse().status == 200
        for signal in ("traces", "metrics"):
            wait_until(lambda: f"does not take {signal}" in s.weir.log())
        s.weir.write(otlp(receiver))
        assert ask(s.weir.admin, "POST", "/reload").status == 200
        wait_until(lambda: receiver.traces(), 20)


def test_what_the_collector_rejects_is_not_sent_again(start):
    replies = [(400, {}, b"{}"), (200, {}, b'{"partialSuccess":{"rejectedSpans":"2","errorMessage":"too old"}}')]
    with Receiver(lambda path: replies.pop(0) if replies else (200, {}, b"{}")) as receiver:
        s = start(weir=otlp(receiver))
        assert s.weir.converse().status == 200
        dropped = lambda: s.weir.metrics().sum("weir_otlp_dropped_total", signal="traces", reason="rejected")
        wait_until(lambda: dropped() == 1)
        assert s.weir.converse().status == 200
        wait_until(lambda: dropped() == 3)
        receiver.trace(id_of(s.weir.converse()))
        assert len(receiver.requests) == 3
        assert "status 400" in s.weir.log()


def test_the_end_sends_what_is_left(start, receiver):
    s = start(weir={"timeouts": {"drain_delay": "0s"}, **otlp(receiver, metrics=True)})
    wait_until(lambda: receiver.metrics())
    reply = s.weir.converse()
    s.weir.signal(15)
    assert s.weir.popen.wait(10) == 0
    assert id_of(reply) in receiver.traces()
    assert point(receiver.metrics()["weir_requests_total"], outcome="ok").as_double == 1


def test_a_collector_that_hangs_holds_nobody_up(start):
    with Receiver(lambda path: time.sleep(30) or (200, {}, b"{}")) as receiver:
        s = start(weir={"timeouts": {"drain_delay": "0s"}, **otlp(receiver, metrics=True)})
        began = time.monotonic()
        assert all(s.weir.converse().status == 200 for _ in range(20))
        assert time.monotonic() - began < 5
        time.sleep(1.2)  # a request is under way there
        began = time.monotonic()
        s.weir.signal(15)
        assert s.weir.popen.wait(10) == 0
        assert time.monotonic() - began < 6
        assert "traces were not sent" in s.weir.log()


# Metrics.


def points(metric):
    return getattr(metric, metric.WhichOneof("data")).data_points


def point(metric, **wanted):
    wanted = {name.replace("__", "."): value for name, value in wanted.items()}
    found, = [one for one in points(metric) if attributes(one).items() >= wanted.items()]
    return found


def test_metrics(start, receiver):
    s = start(weir={"otlp": {"endpoint": receiver.url, "traces": False, "metrics_every": "1s"}})
    for _ in range(3):
        assert s.weir.converse().status == 200
    stream = s.weir.ask("POST", f"/model/{SONNET}/converse-stream", say("hi"))
    assert stream.status == 200
    assert s.weir.ask("POST", f"/model/{SONNET}/converse", "no json", {"Content-Type": "application/json"}).status == 400
    lines = wait_until(lambda: len(s.weir.lines()) == 5 and s.weir.lines())
    duration = lambda: receiver.metrics().get("gen_ai.client.operation.duration")
    wait_until(lambda: duration() and sum(one.count for one in points(duration())) == 5)
    metrics = receiver.metrics()
    chat = {"gen_ai__operation__name": "chat", "gen_ai__request__model": SONNET, "gen_ai__provider__name": "aws.bedrock"}
    good = point(metrics["gen_ai.client.operation.duration"], gen_ai__response__model=SONNET, **chat)
    assert good.count == 4 and "error.type" not in attributes(good)
    assert list(good.explicit_bounds) == [0.01 * 2**i for i in range(14)]
    assert point(metrics["gen_ai.client.operation.duration"], error__type="client_error", **chat).count == 1
    tokens = metrics["gen_ai.client.token.usage"]
    assert tokens.unit == "{token}" and list(points(tokens)[0].explicit_bounds) == [4**i for i in range(14)]
    for kind, fields in (("input", ("input", "cache_read", "cache_write")), ("output", ("output",))):
        one = point(tokens, gen_ai__token__type=kind, **chat)
        assert one.count == 4 and one.sum == sum(line[f] or 0 for line in lines for f in fields)
        assert sum(one.bucket_counts) == one.count and len(one.bucket_counts) == len(one.explicit_bounds) + 1
    first = point(metrics["gen_ai.server.time_to_first_token"], **chat)
    assert first.count == 1 and list(first.explicit_bounds)[:3] == [0.001, 0.005, 0.01]

    scraped = s.weir.metrics()
    requests = metrics["weir_requests_total"]
    assert requests.sum.is_monotonic and requests.sum.aggregation_temporality == 2
    assert point(requests, outcome="ok", operation="Converse").as_double == scraped.sum(
        "weir_requests_total", outcome="ok", operation="Converse") == 3
    seconds = metrics["weir_request_seconds"]
    assert seconds.unit == "s" and seconds.histogram.aggregation_temporality == 2
    one = point(seconds, model=SONNET)
    assert one.count == scraped.sum("weir_request_seconds_count", model=SONNET)
    below = 0
    for bound, count in zip(one.explicit_bounds, one.bucket_counts):
        below += count
        assert below == sum(v for n, l, v in scraped.samples if n == "weir_request_seconds_bucket"
                            and l["model"] == SONNET and float(l["le"]) == bound)
    assert metrics["weir_build_info"].WhichOneof("data") == "gauge"
    now = time.time() * 1e9
    for one in points(requests):
        assert now - 60e9 < one.start_time_unix_nano < one.time_unix_nano <= now + 1e9
    assert not receiver.messages("/v1/traces")
    assert wait_until(lambda: s.weir.metrics().sum("weir_otlp_sent_total", signal="metrics")) > 10


# A collector of OpenTelemetry's.

COLLECTOR = os.environ.get("WEIR_OTELCOL") or shutil.which("otelcol")


@pytest.mark.skipif(not COLLECTOR, reason="no OpenTelemetry collector here: WEIR_OTELCOL names one")
def test_a_real_collector_takes_all_of_it(start, tmp_path):
    port, told = free_port(), tmp_path / "told"
    signal = {"receivers": ["otlp"], "exporters": ["debug"]}
    config = tmp_path / "otelcol.yaml"
    config.write_text(json.dumps({
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{port}"}}}},
        "exporters": {"debug": {"verbosity": "detailed"}},
        "service": {"pipelines": {"traces": signal, "metrics": signal}, "telemetry": {"metrics": {"level": "none"}}},
    }))  # fmt: skip
    with told.open("w") as out:
        collector = subprocess.Popen([COLLECTOR, "--config", str(config)], stdout=out, stderr=subprocess.STDOUT)
    try:
        wait_until(lambda: "Everything is ready" in told.read_text(), what=f"{COLLECTOR}'s start")
        s = start(weir={"routes": BOTH, "otlp": {"endpoint": f"http://127.0.0.1:{port}", "sample": 1, "metrics_every": "1s"}})
        s.sim.fault("unavailable", region=EAST)
        calls = [s.weir.converse(headers={"traceparent": PARENT}), s.weir.ask("POST", f"/model/{SONNET}/converse-stream", say("hi"))]
        assert [call.status for call in calls] == [200, 200]
        sent = lambda what: s.weir.metrics().sum(f"weir_otlp_{what}_total")
        wait_until(lambda: told.read_text().count(f"chat {SONNET}") >= 4 and "gen_ai.client.token.usage" in told.read_text())
        text = told.read_text()
        assert TRACE in text and SPAN in text, "the caller's trace goes on"
        for name in ("gen_ai.operation.name: Str(chat)", "weir.fallback", "ServiceUnavailableException", "Kind           : Server",
                     "service.name: Str(weir)", "-> Name: weir_requests_total", "DataType: Histogram", "IsMonotonic: true"):  # fmt: skip
            assert name in text, name
        assert sent("sent") > 10 and sent("dropped") == 0
        assert "\terror\t" not in text
    finally:
        collector.terminate()
        collector.wait(20)


# The configuration.


def test_the_environment_is_heard_where_the_file_is_silent(start, receiver):
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url, "OTEL_EXPORTER_OTLP_HEADERS": "api-key=a%20b",
           "OTEL_SERVICE_NAME": "named", "OTEL_RESOURCE_ATTRIBUTES": "team=red,service.name=no,zone=a%2Cb"}
    s = start(weir={"otlp": {"sample": 1, "attributes": {"team": "blue"}}}, env=env)
    receiver.trace(id_of(s.weir.converse()))
    seen = receiver.resources()[0]
    assert (seen["service.name"], seen["team"], seen["zone"]) == ("named", "blue", "a,b")
    assert receiver.requests[0][1]["api-key"] == "a b"
    for off in ({"OTEL_SDK_DISABLED": "true"}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}):
        quiet = start(weir={"otlp": {"sample": 1}}, env={**env, **off})
        assert quiet.weir.converse().status == 200
        assert not quiet.weir.metrics().labels("weir_otlp_sent_total"), off
    for name, wrong in {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://u:topsecret@h:4318", "OTEL_EXPORTER_OTLP_HEADERS": "api-key=top%secret",
                        "OTEL_RESOURCE_ATTRIBUTES": "a=top%zzsecret"}.items():
        odd = start(weir={}, env={**env, name: wrong})
        assert odd.weir.converse().status == 200
        wait_until(lambda: f"{name}: warning: ignored" in odd.weir.log())
        assert "secret" not in odd.weir.log()


@pytest.mark.parametrize("otlp, complaint", [
    ({"endpoint": "collector:4318"}, "otlp.endpoint"),
    ({"endpoint": "http://c:4318/?a=b"}, "has a query"),
    ({"headers": "api-key"}, "pair 1 is not name=value"),
    ({"headers": "a=1,b=top%secret"}, "the value of pair 2 is not percent-encoded"),
    ({"headers": "a=top%0Asecret"}, "control character"),
    ({"headers": "host=secret"}, "of a field that weir writes"),
    ({"headers": "a b=secret"}, "no name of a header field"),
    ({"ca": "/nowhere.pem"}, "cannot read '/nowhere.pem'"),
    ({"sample": 1.5}, "between 0 and 1"),
    ({"service": ""}, "otlp.service" ),
])
def test_mistakes_are_named_with_their_place(tmp_path, otlp, complaint):
    file = tmp_path / "weir.yaml"
    file.write_text(json.dumps({"otlp": otlp}, indent=1))
    checked = command("check", str(file))
    assert checked.returncode == 2
    said = checked.stdout + checked.stderr
    assert complaint in said or complaint == "otlp.endpoint" and "is not a URL" in said \
        or complaint == "otlp.service" and "must have 1 to 1024" in said, said
    assert "secret" not in said and f"{file}:3:" in said, said


# Exemplars.

OPEN = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"


def test_exemplars(start, receiver):
    s = start(weir=otlp(receiver))
    reply = s.weir.ask("POST", f"/model/{SONNET}/converse-stream", say("hi"))
    trace = receiver.trace(id_of(reply))
    scraped = ask(s.weir.admin, "GET", "/metrics", headers={"Accept": OPEN})
    assert scraped.headers["content-type"] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    families = {f.name: f for f in openmetrics.text_string_to_metric_families(scraped.body.decode())}
    for name in ("weir_request_seconds", "weir_first_token_seconds"):
        found = [sample for sample in families[name].samples if sample.exemplar]
        assert len(found) == 1 and found[0].labels["model"] == SONNET
        exemplar = found[0].exemplar
        assert exemplar.labels == {"trace_id": trace.id}
        assert exemplar.value <= float(found[0].labels["le"])
        assert abs(float(exemplar.timestamp) - time.time()) < 60
    assert families["weir_requests"].type == "counter"

    plain = ask(s.weir.admin, "GET", "/metrics")
    assert plain.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"trace_id" not in plain.body and b"# EOF" not in plain.body
    of_open = {(s.name, tuple(sorted(s.labels.items()))) for f in families.values() for s in f.samples}
    metrics = s.weir.metrics()

    def canonical(labels):
        return tuple(sorted((k, str(float(v)).replace("inf", "+Inf") if k == "le" else v) for k, v in labels.items()))

    missing = {(n, canonical(l)) for n, l, _ in metrics.samples} - of_open
    assert not missing, "both formats have the same series"
