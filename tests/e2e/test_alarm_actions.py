"""POST /sns: a CloudWatch alarm acts on weir, and nobody else does."""

import base64
import datetime
import hashlib
import json
import threading
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

from harness import EAST, SONNET, WEST, ask, converse, headers_of, wait_until

TOPIC = "arn:aws:sns:us-east-1:123456789012:weir-actions"
ORDER = {
    "Notification": ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
    "SubscriptionConfirmation": ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
}


class Sns:
    """Signs as SNS does, serves its certificate, and notes who confirms."""

    def __init__(self):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        today = datetime.datetime.now(datetime.timezone.utc)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(1)
            .not_valid_before(today - datetime.timedelta(days=1))
            .not_valid_after(today + datetime.timedelta(days=1))
            .sign(self.key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)
        self.asked = []
        sns = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                sns.asked.append(self.path)
                self.send_response(200)
                self.end_headers()
                self.wfile.write(sns.pem if self.path.endswith(".pem") else b"<ConfirmSubscriptionResponse/>")

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    def message(self, kind="Notification", version="2", age=0, **members):
        sent = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(seconds=age)
        message = {
            "Type": kind,
            "MessageId": str(uuid.uuid4()),
            "TopicArn": TOPIC,
            "Timestamp": sent.strftime("%Y-%m-%dT%H:%M:%S.") + "123Z",
            "SignatureVersion": version,
            "SigningCertURL": f"{self.url}/SimpleNotificationService-0123abcd.pem",
            **members,
        }
        text = "".join(f"{name}\n{message[name]}\n" for name in ORDER[kind] if name in message)
        digest = hashes.SHA1() if version == "1" else hashes.SHA256()
        message["Signature"] = base64.b64encode(self.key.sign(text.encode(), padding.PKCS1v15(), digest)).decode()
        return message

    def alarm(self, name, state, **more):
        news = {"AlarmName": name, "NewStateValue": state, "NewStateReason": "Threshold Crossed: 1 datapoint"}
        return self.message(Subject=f'{state}: "{name}"', Message=json.dumps(news), **more)


def post(s, message, **headers):
    head = {
        "Content-Type": "text/plain; charset=UTF-8",
        "x-amz-sns-message-type": message["Type"] if isinstance(message, dict) else "Notification",
        "x-amz-sns-topic-arn": message["TopicArn"] if isinstance(message, dict) else TOPIC,
        "Host": "weir-1.example.com",
        **headers,
    }
    return ask(s.weir.admin, "POST", "/sns", json.dumps(message) if isinstance(message, dict) else message, head)


def count(s, result):
    return s.weir.metrics().sum("weir_sns_messages_total", result=result)


@pytest.fixture
def sns():
    with Sns() as one:
        yield one


@pytest.fixture
def world(start, sns):
    actions = [
        {"topic": TOPIC, "alarm": "east-*", "do": "close", "region": EAST, "for": "10m"},
        {"topic": TOPIC, "alarm": "budget", "do": "shed", "priority": "batch"},
        {"topic": TOPIC, "alarm": "flaky", "do": "trip", "region": EAST, "model": SONNET},
    ]
    return start(
        weir={
            "aws": {"sns": sns.url, "actions": actions},
            "breaker": {"open_for": "20s", "max_open": "20s"},
        }
    )


def place(client):
    return headers_of(converse(client))["x-weir-target"].split("/")[0]


def test_an_alarm_closes_a_region_and_opens_it_again(world, sns):
    client = world.weir.boto()
    assert place(client) == EAST
    reply = post(world, sns.alarm("east-503", "ALARM"))
    assert reply.status == 200 and reply.json() == {"taken": True, "orders": 1}
    assert place(client) == WEST
    order = world.weir.status()["overrides"][0]
    assert order["by"] == "alarm east-503" and order["state"] == "closed" and "Threshold" in order["reason"]
    line = "alarm east-503 rings: close every model in us-east-1 for 600 s"
    wait_until(lambda: line in world.weir.log(), what="a line in the log")
    assert post(world, sns.alarm("east-other", "OK")).status == 200
    assert place(client) == WEST, "the OK of another alarm"
    assert post(world, sns.alarm("east-503", "OK", version="1")).status == 200
    assert place(client) == EAST
    assert count(world, "acted") == 3
    assert len([p for p in sns.asked if p.endswith(".pem")]) == 1, "the certificate is kept"


def test_the_signature_is_the_key(start, sns):
    key = "0123456789abcdef"
    s = start(
        weir={
            "aws": {"sns": sns.url, "actions": [{"topic": TOPIC, "do": "close", "region": EAST}]},
            "admin_key_sha256": hashlib.sha256(key.encode()).hexdigest(),
        }
    )
    assert ask(s.weir.admin, "GET", "/targets").status == 401
    assert ask(s.weir.admin, "POST", "/shed").status == 401
    assert post(s, sns.alarm("any", "ALARM")).status == 200
    targets = ask(s.weir.admin, "GET", "/targets", headers={"Authorization": f"Bearer {key}"}).json()
    assert [o["by"] for o in targets["overrides"]] == ["alarm any"]


def test_an_operator_wins_over_an_alarm(world, sns):
    client = world.weir.boto()
    assert ask(world.weir.admin, "POST", f"/targets/open?region={EAST}&for=5m").status == 200
    assert post(world, sns.alarm("east-503", "ALARM")).status == 200
    assert place(client) == EAST


def test_an_alarm_sheds_batch_and_trips_a_breaker(world, sns):
    client = world.weir.boto()
    assert place(client) == EAST
    batch = {"x-weir-priority": "batch"}
    assert post(world, sns.alarm("budget", "ALARM")).status == 200
    assert world.weir.converse(headers=batch).status == 429
    assert post(world, sns.alarm("budget", "OK")).status == 200
    assert world.weir.converse(headers=batch).status == 200
    assert post(world, sns.alarm("flaky", "ALARM")).status == 200
    assert world.weir.metrics().sum("weir_breaker_state", region=EAST, model=SONNET) == 2
    assert place(client) == WEST
    assert post(world, sns.alarm("flaky", "OK")).status == 200
    assert [place(client) for _ in range(3)] == [EAST] * 3, "probes"
    assert world.weir.metrics().sum("weir_breaker_state", region=EAST, model=SONNET) == 0
    assert post(world, sns.alarm("unknown", "ALARM")).json() == {"taken": True, "orders": 0}
    assert count(world, "nothing_to_do") == 1


def test_a_subscription_is_confirmed_only_at_sns(world, sns):
    url = f"{sns.url}/?Action=ConfirmSubscription&Token=abc"
    good = dict(Message="You have chosen to subscribe", Token="abc")
    assert post(world, sns.message("SubscriptionConfirmation", SubscribeURL=url, **good)).status == 200
    assert "/?Action=ConfirmSubscription&Token=abc" in sns.asked
    assert count(world, "confirmed") == 1
    with Sns() as elsewhere:
        bad = sns.message("SubscriptionConfirmation", SubscribeURL=f"{elsewhere.url}/?Action=ConfirmSubscription", **good)
        assert post(world, bad).status == 403
        stranger = elsewhere.alarm("east-503", "ALARM")
        assert post(world, stranger).status == 403, "its certificate is not at SNS"
        assert elsewhere.asked == []
        stranger["SigningCertURL"] = f"{sns.url}/SimpleNotificationService-0123abcd.pem"
        assert post(world, stranger).status == 403, "signed by another key"
    assert count(world, "forged") == 3
    assert world.weir.status()["overrides"] == []


def test_what_is_old_repeated_or_changed_does_nothing(world, sns):
    old = sns.alarm("east-503", "ALARM", age=16 * 60)
    assert post(world, old).status == 400 and count(world, "stale") == 1
    other = sns.alarm("east-503", "ALARM", TopicArn=TOPIC + "-other")
    assert post(world, other).status == 403
    assert post(world, other, **{"x-amz-sns-topic-arn": TOPIC}).status == 403
    assert count(world, "unknown_topic") == 2
    changed = sns.alarm("budget", "ALARM")
    changed["Message"] = changed["Message"].replace("budget", "east-1")
    assert post(world, changed).status == 403 and count(world, "forged") == 1
    assert world.weir.status()["overrides"] == []
    ring = sns.alarm("east-503", "ALARM")
    assert post(world, ring).status == 200
    assert post(world, sns.alarm("east-503", "OK")).status == 200
    assert post(world, ring).json()["taken"] is False, "a replay does not close it again"
    assert world.weir.status()["overrides"] == [] and count(world, "repeated") == 1


def test_odd_messages_cost_nothing(world, sns):
    assert post(world, "{").status == 400
    assert post(world, "[" * 100_000).status == 400
    assert post(world, sns.alarm("a", "ALARM"), **{"x-amz-sns-rawdelivery": "true"}).status == 400
    assert ask(world.weir.admin, "POST", "/sns", "{}").status == 400
    assert ask(world.weir.admin, "GET", "/sns").status == 405
    try:
        assert post(world, "x" * 600_000).status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # it was refused while it was still being sent
    assert count(world, "malformed") >= 4
    assert all(post(world, "{}").status in (400, 429) for _ in range(60))
    assert count(world, "rate_limited") > 0
    assert sns.asked == []
    assert place(world.weir.boto()) == EAST
    wait_until(lambda: post(world, sns.alarm("east-503", "ALARM")).status == 200, what="the rate to allow it")


def test_nothing_is_taken_unless_it_is_configured(start, sns):
    s = start()
    assert post(s, sns.alarm("east-503", "ALARM")).status == 404
    s.weir.write({"aws": {"actions": [{"topic": TOPIC, "do": "close", "region": EAST}]}})
    assert ask(s.weir.admin, "POST", "/reload").status == 200
    assert post(s, sns.alarm("east-503", "ALARM")).status == 403, "without aws.sns only AWS's own hosts count"
    assert sns.asked == []


def test_a_wrong_action_is_named(start):
    s = start()
    bad = [{"topic": "t", "region": EAST}, {"topic": TOPIC, "do": "close"}, {"topic": TOPIC, "do": "shed", "region": EAST}]
    bad += [{"topic": TOPIC, "region": "us-est-1"}, {"topic": TOPIC, "region": EAST, "for": "1000h"}, {"topic": TOPIC, "do": "stop"}]
    s.weir.write({"aws": {"actions": bad}})
    reply = ask(s.weir.admin, "POST", "/reload")
    assert reply.status == 400
    for part in (
        "`t` is not the ARN of an SNS topic",
        "needs `region`, `model` or both",
        "shed is for all targets",
        "`us-est-1` is not declared in `regions`",
        "must be 1s to 168h",
        "`aws.actions[5].do` is `stop`; allowed are close, drain, trip, shed",
    ):
        assert part in reply.json()["message"], reply.json()["message"]
