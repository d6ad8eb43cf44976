"""A weir before another weir, and one that leads back to itself."""

import pytest
from harness import EAST, HAIKU, SONNET, Gateway, ask, headers_of, converse, stream, text_of


@pytest.fixture
def chain(start, tmp_path):
    """The outer weir asks the inner one, which asks the simulator."""
    s = start()
    with Gateway(tmp_path, s.sim, {
        "regions": {EAST: {"endpoint": s.weir.url}}, "default_region": EAST,
        "routes": [{"model": SONNET, "targets": [{"region": EAST}]}],
    }) as outer:
        yield outer, s


def test_two_weirs_in_a_chain_work(chain):
    outer, s = chain
    assert outer.converse().status == 200
    assert text_of(stream(outer.boto()))
    assert headers_of(converse(outer.boto(), model=HAIKU))["x-weir-attempts"] == "1"
    assert outer.boto(service="bedrock").list_foundation_models()["modelSummaries"]
    assert s.weir.line(outcome="ok")


def test_anothers_name_is_no_loop(plain):
    for via in ("1.1 weir", "1.1 weir-0123456789abcdef", "1.1 weir, 1.1 weir"):
        assert plain.weir.converse(headers={"Via": via}).status == 200, via


def test_a_loop_over_two_weirs_is_cut(chain):
    outer, s = chain
    s.weir.write({"regions": {EAST: {"endpoint": outer.url}}, "routes": []})
    assert ask(s.weir.admin, "POST", "/reload").status == 200
    reply = outer.converse()
    assert reply.status == 508
    assert outer.line(status=508, reason="loop")
