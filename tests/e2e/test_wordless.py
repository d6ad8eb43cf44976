"""Models that answer with vectors, scores or images: no output is held for them, and base64 is no text."""

import base64
import random

import pytest
from harness import EAST, raw

IMAGE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + random.Random(1).randbytes(600_000)).decode()
URL = "data:image/png;base64," + IMAGE
MODELS = {
    "amazon.titan-embed-text-v2:0": {"inputText": "a sentence to be embedded"},
    "amazon.titan-embed-image-v1": {"inputText": "a cat", "inputImage": IMAGE},
    "cohere.embed-english-v3": {"texts": ["a", "b"], "input_type": "search_document", "max_tokens": 512},
    "us.cohere.embed-v4:0": {"images": [URL], "input_type": "image"},
    "amazon.nova-2-multimodal-embeddings-v1:0": {
        "taskType": "SINGLE_EMBEDDING",
        "singleEmbeddingParams": {"image": {"format": "png", "source": {"bytes": IMAGE}}},
    },
    "twelvelabs.marengo-embed-3-0-v1:0": {"inputType": "image", "image": {"mediaSource": {"base64String": IMAGE}}},
    "cohere.rerank-v3-5:0": {"query": "x", "documents": ["one", "two"], "top_n": 1},
    "amazon.rerank-v1:0": {"query": "x", "documents": ["one", "two"]},
    "amazon.nova-canvas-v1:0": {
        "taskType": "INPAINTING",
        "inPaintingParams": {"text": "a cat", "image": IMAGE, "maskImage": IMAGE},
    },
    "amazon.titan-image-generator-v2:0": {
        "taskType": "IMAGE_VARIATION",
        "imageVariationParams": {"text": "a cat", "images": [IMAGE, IMAGE]},
    },
    "stability.sd3-5-large-v1:0": {"prompt": "a cat", "mode": "image-to-image", "image": IMAGE},
}


@pytest.mark.parametrize("model", MODELS)
def test_no_output_is_held(plain, model):
    weir = plain.weir
    reply = weir.ask("POST", f"/model/{model.replace(':', '%3A')}/invoke", MODELS[model])
    assert reply.status == 200, reply.body
    line = weir.line(model=model)
    assert line["reserved"] <= 5_000
    assert line["max_tokens"] is None
    if "embed" in model:  # by the header alone, or by it and the body
        counted = int(reply.headers["x-amzn-bedrock-input-token-count"])
        assert (line["input"], line["output"]) == (counted, 0)


def test_a_small_quota_serves_an_image_at_once(start):
    stack = start(weir={"quotas": [{"model": "cohere.embed-v4:0", "tokens_per_minute": 20_000}]})
    reply = stack.weir.ask("POST", "/model/cohere.embed-v4%3A0/invoke", MODELS["us.cohere.embed-v4:0"])
    assert reply.status == 200
    assert stack.sim.truth(EAST, "cohere.embed-v4:0", "accepted") == 1


def test_a_body_over_invokes_own_limit_is_refused_in_the_services_words(plain):
    def head(operation, size):  # the body never comes: the head alone is answered
        path = f"/model/amazon.nova-lite-v1%3A0/{operation}"
        return f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n".encode()

    for operation in ("invoke", "invoke-with-response-stream"):
        said = raw(plain.weir.port, head(operation, 25_000_001))
        assert said.startswith(b"HTTP/1.1 400 ")
        assert b"ValidationException" in said and b"less than or equal to 25000000" in said
    said = raw(plain.weir.port, head("converse", 40_000_000))
    assert said.startswith(b"HTTP/1.1 413 ") and b"limits.max_body" in said
