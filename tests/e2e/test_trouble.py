"""Targets that do not serve a model, clients that leave, and what a client's own settings keep it from."""

import json
import socket
import time

import pytest
from harness import EAST, SONNET, WEST, say, wait_until
from scripted import answer
from test_upstream_bytes import Pair

GONE = json.dumps({"message": "This model version has reached the end of its life."}).encode()
ROUTE = [{"model": SONNET, "targets": [{"region": EAST}, {"region": WEST}]}]


def gone(connection, request):
    return answer(GONE, "404 Not Found", ["x-amzn-ErrorType: ResourceNotFoundException"])


def unavailable(connection, request):
    return answer(b'{"message":"try again"}', "503 Service Unavailable", ["x-amzn-ErrorType: ServiceUnavailableException"])


def converse(weir, client, body=None, **fields):
    return weir.ask("POST", f"/model/{SONNET}/converse", body or say("hi"), {"x-weir-client": client, **fields})


def test_a_model_that_is_gone_falls_over_and_the_log_says_so_once(tmp_path):
    with Pair(tmp_path, gone, routes=ROUTE) as pair:
        for client in ("a", "a", "b"):
            reply = converse(pair.weir, client)
            assert reply.status == 200 and reply.headers["x-weir-target"].startswith(WEST)
        wait_until(lambda: "went on to the route's other targets: 404" in pair.weir.log(), 5, "the reason in the log")
        assert pair.weir.log().count("went on to the route's other targets") == 1
        east = pair.used()[EAST]
        assert east["misconfigured"], "calls of two clients agree"
        because = east["misconfigured_because"]
        assert because["for_all_clients"] and because["client"] == "b" and because["seconds_left"] > 200
        assert because["error"].startswith("404 ResourceNotFoundException: This model version")
        assert because["request_id"]
        asked = len(pair.east.requests)
        assert converse(pair.weir, "c").status == 200
        assert len(pair.east.requests) == asked


def test_a_model_that_is_gone_everywhere_is_the_callers_error(tmp_path):
    with Pair(tmp_path, gone, gone, routes=ROUTE) as pair:
        for client in ("a", "b", "c"):
            reply = converse(pair.weir, client)
            assert reply.status == 404
            assert reply.headers["x-amzn-errortype"] == "ResourceNotFoundException"
        assert not any(t["misconfigured"] for t in pair.used().values())


def test_one_calls_404_at_a_fallback_is_its_own(tmp_path):
    def picky(connection, request):
        return gone(connection, request) if b"file-x" in request else answer()

    with Pair(tmp_path, unavailable, picky, routes=ROUTE) as pair:
        assert converse(pair.weir, "stranger", say("file-x")).status == 503
        assert not pair.used()[WEST]["misconfigured"]
        assert converse(pair.weir, "honest").status == 200


def test_a_clients_regions_and_models_hold_for_repeats(tmp_path):
    clients = [{"name": "east", "regions": [EAST]}]
    with Pair(tmp_path, unavailable, routes=ROUTE, clients=clients) as pair:
        assert converse(pair.weir, "east").status == 503
        assert pair.west.requests == []
        assert converse(pair.weir, "other").status == 200
        skipped = pair.weir.metrics().sum("weir_target_skipped_total", region=WEST, reason="client_regions")
        assert skipped == 1


@pytest.mark.parametrize("path", ["converse", "converse-stream"])
def test_a_client_that_leaves_gives_back_what_it_did_not_use(tmp_path, path):
    held = []

    def behave(connection, request):
        if b"hold" in request:
            held.append(connection)
            while connection.recv(65536):
                pass
            return None
        time.sleep(0.1)  # the pace at which output comes is learned from these
        return answer()

    quotas = [{"model": SONNET, "tokens_per_minute": 200000}]
    routes = [{"model": SONNET, "targets": [{"region": EAST}]}]
    timeouts = {"idle": "30s", "first_event": "30s", "answer": "30s", "connect": "1s"}
    with Pair(tmp_path, behave, routes=routes, quotas=quotas, timeouts=timeouts, queue={"deadline": "30s"}) as pair:

        def used():
            return next(x["used"] for x in pair.used()[EAST]["limits"] if x["kind"] == "tokens")

        for _ in range(8):
            assert converse(pair.weir, "c").status == 200
        body = json.dumps(say("hold", 50000)).encode()
        with socket.create_connection(("127.0.0.1", pair.weir.port)) as client:
            client.sendall(
                f"POST /model/{SONNET}/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n".encode() + body
            )
            wait_until(lambda: held and used() > 50000, 5, "the hold")
        wait_until(lambda: used() < 50000, 5, "what was not used is back")
