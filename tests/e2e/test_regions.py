"""Regions that callers name by their signatures, and those that a reload takes away."""

import json
import os

from harness import EAST, SONNET, WEST, Process, ask, free_port, say, wait_until


def sign_as(region):
    scope = f"Credential=AKIDEXAMPLE/20261128/{region}/bedrock/aws4_request"
    return {"Authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host;x-amz-date, Signature=00", "X-Amz-Date": "20261128T000000Z"}


def test_invented_regions_do_not_push_out_real_ones(tmp_path):
    """Without declared Regions a signature, which nobody verifies, names the Region. A proxy that is not there keeps the calls here."""
    port, admin = free_port(), free_port()
    file = tmp_path / "weir.yaml"
    file.write_text(json.dumps({
        "listen": [f"127.0.0.1:{port}"], "admin": f"127.0.0.1:{admin}", "workers": 1, "breaker": {"failures": 1000},
        "credentials": {"source": "static", "access_key_id": "A", "secret_access_key": "B"},
        "retry": {"max_attempts": 1}, "queue": {"deadline": "2s"},
    }))
    with Process(tmp_path, "weir", ["serve", "-c", str(file)], {"HTTPS_PROXY": f"http://127.0.0.1:{free_port()}"}) as weir:
        def up():
            weir.check_alive()
            try:
                return ask(admin, "GET", "/readyz").status == 200
            except OSError:
                return False

        wait_until(up, what="weir's start")

        def call(region):
            return ask(port, "POST", f"/model/{SONNET}/count-tokens", say("hi"), sign_as(region))

        def threads():
            return len(os.listdir(f"/proc/{weir.popen.pid}/task"))

        assert call(EAST).status == 503
        before = threads()
        for number in range(70):
            assert call(f"xx-invented-{number}").status == 400
        directions = ("north", "south", "east", "west", "central", "northeast", "southeast")
        for place in ("us", "eu", "ap", "sa", "mx"):
            for direction in directions:
                for number in (8, 9):
                    assert call(f"{place}-{direction}-{number}").status == 503
        for real in (EAST, WEST, "eu-central-1", "ap-southeast-2"):
            assert call(real).status == 503, "known, and out of reach: not 400"
        assert threads() <= before + 1


def test_key_rotations_leave_nothing_behind(start):
    s = start(weir={"workers": 1})
    tasks = f"/proc/{s.weir.popen.pid}/task"

    def rotate(number):
        pair = {"source": "static", "access_key_id": f"AKID{number}", "secret_access_key": "x"}
        s.weir.write({"credentials": pair})
        assert ask(s.weir.admin, "POST", "/reload").status == 200

    for number in range(3):
        rotate(number)
    before = len(os.listdir(tasks))
    for number in range(3, 90):
        rotate(number)
    assert len(os.listdir(tasks)) <= before + 1
    assert s.weir.converse().status == 403, "the simulator knows none of these"
    s.weir.write({"credentials": {"source": "static", "access_key_id": "AKIDEXAMPLE", "secret_access_key": "example-secret"}})
    assert ask(s.weir.admin, "POST", "/reload").status == 200
    wait_until(lambda: s.weir.converse().status == 200, what="the right pair in use")
