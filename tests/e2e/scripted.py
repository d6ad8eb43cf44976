"""An upstream that answers with bytes of the test's choosing, and keeps what it was asked."""

import socket
import struct
import threading

OK = b'{"output":{"message":{"role":"assistant","content":[{"text":"hello"}]}},"stopReason":"end_turn",' \
     b'"usage":{"inputTokens":3,"outputTokens":2,"totalTokens":5},"metrics":{"latencyMs":1}}'


def answer(body=OK, status="200 OK", fields=(), length=True):
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json", *fields]
    if length:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def reset(connection):
    """Closes with RST instead of FIN."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


class Scripted:
    """`behave(connection, request)` is called for each request, with its bytes; what it returns is sent, None ends
    the connection."""

    def __init__(self, behave=None):
        self.behave = behave or (lambda connection, request: answer())
        self.requests = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self.listener.getsockname()[1]
        self.open = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        # A thread in accept() keeps a closed listener alive; shutdown wakes it.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        for connection in self.open:
            connection.close()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.open.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        got = b""
        try:
            while True:
                while b"\r\n\r\n" not in got:
                    block = connection.recv(65536)
                    if not block:
                        return
                    got += block
                head, got = got.split(b"\r\n\r\n", 1)
                size = 0
                for line in head.split(b"\r\n")[1:]:
                    name, value = line.split(b":", 1)
                    if name.lower() == b"content-length":
                        size = int(value)
                while len(got) < size:
                    block = connection.recv(65536)
                    if not block:
                        return
                    got += block
                request, got = head + b"\r\n\r\n" + got[:size], got[size:]
                self.requests.append(request)
                reply = self.behave(connection, request)
                if reply is None:
                    connection.close()
                    return
                connection.sendall(reply)
        except OSError:
            pass


class Endpoints:
    """Stands where the simulator does in a Gateway: Regions and their ports."""

    def __init__(self, **ports):
        self.ports = {name.replace("_", "-"): port for name, port in ports.items()}
