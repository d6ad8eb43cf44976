"""HTTP/2 by h2 on a plain socket: a connection, its streams, and what comes of them."""

import socket
import ssl

import h2.config
import h2.connection
import h2.events
import h2.settings
from h2.connection import ConnectionInputs, ConnectionState, H2ConnectionStateMachine

# To h2 any GOAWAY is the end. It is not: what is under way goes on (RFC 9113 6.8).
H2ConnectionStateMachine._transitions[(ConnectionState.CLIENT_OPEN, ConnectionInputs.RECV_GOAWAY)] = (
    None,
    ConnectionState.CLIENT_OPEN,
)


class Stream:
    def __init__(self):
        self.status, self.headers, self.body = None, {}, b""
        self.ended, self.reset = False, None


class Http2:
    """`careful=False` sends what h2 would refuse to. `reads=False` gives nothing back to the windows."""

    def __init__(self, port, tls=None, careful=True, window=None, reads=True, timeout=20):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_hostname="localhost")
            assert self.socket.selected_alpn_protocol() == "h2"
        config = h2.config.H2Configuration(
            header_encoding="utf-8", validate_outbound_headers=careful, normalize_outbound_headers=careful
        )
        self.h2 = h2.connection.H2Connection(config)
        if window is not None:
            self.h2.local_settings[h2.settings.SettingCodes.INITIAL_WINDOW_SIZE] = window
        self.reads, self.streams = reads, {}
        self.gone, self.code, self.last, self.interims = False, None, None, 0
        self.h2.initiate_connection()
        self.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.socket.close()

    def flush(self):
        data = self.h2.data_to_send()
        if data:
            self.socket.sendall(data)

    def ask(self, path, body=b"", method="POST", headers=(), end=True, authority="localhost"):
        """Starts a request; the number of its stream."""
        number = self.h2.get_next_available_stream_id()
        self.streams[number] = Stream()
        fields = [(":method", method), (":scheme", "http"), (":path", path), (":authority", authority), *headers]
        self.h2.send_headers(number, fields, end_stream=end and not body)
        for at in range(0, len(body), 16384):
            piece = body[at:at + 16384]
            while self.h2.local_flow_control_window(number) < len(piece):
                self.flush()
                if not self.read() or self.streams[number].ended or self.streams[number].reset is not None:
                    return number
            self.h2.send_data(number, piece, end_stream=end and at + 16384 >= len(body))
        self.flush()
        return number

    def read(self):
        """One block from the socket; False at the end."""
        try:
            block = self.socket.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            block = b""
        if not block:
            self.gone = True
            return False
        for event in self.h2.receive_data(block):
            stream = self.streams.get(getattr(event, "stream_id", None))
            if isinstance(event, h2.events.ConnectionTerminated):
                self.code, self.last = event.error_code, event.last_stream_id
            elif stream is None:
                continue
            elif isinstance(event, h2.events.InformationalResponseReceived):
                self.interims += 1
            elif isinstance(event, h2.events.ResponseReceived):
                stream.headers = dict(event.headers)
                stream.status = int(stream.headers[":status"])
            elif isinstance(event, h2.events.DataReceived):
                stream.body += event.data
                if self.reads:
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
            elif isinstance(event, h2.events.StreamEnded):
                stream.ended = True
            elif isinstance(event, h2.events.StreamReset):
                stream.reset = event.error_code
        try:
            self.flush()
        except OSError:
            pass
        return True

    def until(self, done):
        while not done():
            if not self.read():
                return False
        return True

    def answer(self, number):
        stream = self.streams[number]
        self.until(lambda: stream.ended or stream.reset is not None)
        return stream

    def farewell(self):
        while not self.gone:
            self.read()
        return self.code
