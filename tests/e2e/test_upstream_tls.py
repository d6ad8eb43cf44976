"""TLS to the service: whom it trusts, how often it shakes hands. A relay here takes the TLS off before the simulator."""

import socket
import ssl
import threading

import pytest
import trustme

from harness import EAST, converse, stream, text_of


class Relay:
    """Takes TLS connections and passes their bytes on to `port`."""

    def __init__(self, port, certificate):
        self.target, self.handshakes, self.resumed, self.names = port, 0, 0, []
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(self.context)
        self.context.sni_callback = lambda _sock, name, _context: self.names.append(name)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                raw, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(raw,), daemon=True).start()

    def serve(self, raw):
        try:
            client = self.context.wrap_socket(raw, server_side=True)
        except (ssl.SSLError, OSError):
            raw.close()
            return
        self.handshakes += 1
        self.resumed += bool(client.session_reused)
        server = socket.create_connection(("127.0.0.1", self.target))
        # An SSL object is not for two threads at once: one thread looks at both ends in turn.
        client.settimeout(0.01)
        server.settimeout(0.01)
        try:
            while True:
                for source, sink in ((client, server), (server, client)):
                    try:
                        data = source.recv(65536)
                    except (TimeoutError, ssl.SSLWantReadError):
                        continue
                    if not data:
                        return
                    sink.settimeout(5)
                    sink.sendall(data)
                    sink.settimeout(0.01)
        except OSError:
            pass
        finally:
            client.close()
            server.close()

    def close(self):
        self.listener.close()


@pytest.fixture
def behind(start, tmp_path, request):
    """behind(name) starts weir before a relay whose certificate is for `name`."""

    def make(name="localhost", ca=True, **settings):
        authority = trustme.CA()
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        s = start(regions=(EAST,))
        relay = Relay(s.sim.ports[EAST], authority.issue_cert(name))
        request.addfinalizer(relay.close)
        region = {"endpoint": f"https://localhost:{relay.port}"}
        if ca:
            region["ca"] = str(tmp_path / "ca.pem")
        tls = start(regions=(EAST,), weir={"regions": {EAST: region}, "workers": 1, **settings})
        return relay, tls, s

    return make


def test_calls_and_streams_over_tls(behind):
    relay, s, sim = behind()
    client = s.weir.boto(attempts=1)
    for _ in range(5):
        assert converse(client)["stopReason"]
    assert text_of(stream(client, "[[output=30]]"))
    assert relay.handshakes == 1, "one connection serves them all"
    assert relay.names == ["localhost"]
    assert sim.sim.truth(key="accepted") == 6


def test_a_later_connection_resumes_the_session(behind):
    relay, s, _ = behind()
    client = s.weir.boto(attempts=1)
    assert converse(client)["stopReason"]
    threads = [threading.Thread(target=converse, args=(s.weir.boto(attempts=1), "[[ttft=200ms]]")) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert relay.handshakes > 1 and relay.resumed >= 1


@pytest.mark.parametrize("case", ["another name", "unknown authority"])
def test_a_certificate_that_is_not_theirs_is_refused(behind, case):
    relay, s, sim = behind(
        name="example.org" if case == "another name" else "localhost", ca=case == "another name",
        queue={"max_wait": "1s"},
    )
    reply = s.weir.converse(headers={"x-weir-deadline-ms": "1500"})
    assert reply.status == 503 and reply.error == "ServiceUnavailableException"
    assert sim.sim.truth(key="accepted") == 0
    assert "no connection to us-east-1: tls (" in s.weir.log()
