"""What is held for connections and streams on which nothing moves."""
import json
import resource
import socket
import ssl
import sys
import time

from rig import MODEL, PATH, Run, Unavailable, free_port, processor_seconds, resident, wait_for

# nginx before the simulator, which speaks no TLS.
TLS_FRONT = """
  server {{ listen 127.0.0.1:{secure} ssl backlog=4096; ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem;
    location / {{ proxy_pass http://127.0.0.1:{to}; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $http_host; proxy_buffering off; proxy_read_timeout 600s; }} }}
"""
QUIET_SECONDS = 5


def _raise_descriptors(streams):
    """weir holds two sockets a stream."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if most < 2 * streams + 500:
        raise Unavailable(f"{streams} streams need {2 * streams + 500} open files, the limit is {most} (ulimit -Hn)")


def _idle(port, child, count, empty):
    """Bytes a connection that has served a request."""
    kept = [socket.create_connection(("127.0.0.1", port)) for _ in range(count)]
    for s in kept:
        s.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        s.recv(4096)
    time.sleep(1)
    held = resident(child.pid) - empty
    for s in kept:
        s.close()
    time.sleep(1)
    return held / count


def parked(weir, folder, streams=8000, secure=False, idle=2000):
    """Streams that have had their first event and wait for the next, more than a minute away."""
    _raise_descriptors(streams)
    with Run(folder) as run:
        to = run.sim(weir, rate=0.005, mean=1000)
        if secure:
            run.make_certificate()
            front = free_port()
            run.nginx("front", TLS_FRONT, secure=front, to=to)
            wait_for(front)
            to = front
        port, child = run.weir(weir, to, secure, secure)
        time.sleep(0.5)
        empty = resident(child.pid)
        result = {"parked_streams": streams, "idle_bytes": empty}
        if not secure:
            result["idle_connection_bytes"] = _idle(port, child, idle, empty)
        body = json.dumps({"messages": [{"role": "user", "content": [{"text": "hello"}]}]}).encode()
        head = (f"POST {PATH}-stream HTTP/1.1\r\nHost: localhost\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n").encode()
        context = ssl.create_default_context(cafile=str(folder / "cert.pem")) if secure else None
        held = []
        for _ in range(streams):
            s = socket.create_connection(("127.0.0.1", port))
            s.settimeout(30)
            if context:
                s = context.wrap_socket(s, server_hostname="localhost")
            s.sendall(head + body)
            held.append(s)
        for s in held:
            if not s.recv(4096).startswith(b"HTTP/1.1 200"):
                sys.exit("a stream did not begin")
        time.sleep(2)
        full = resident(child.pid)
        before = processor_seconds(child.pid)
        time.sleep(QUIET_SECONDS)
        result["parked_stream_bytes"] = (full - empty) / streams
        result["parked_processor_share"] = (processor_seconds(child.pid) - before) / QUIET_SECONDS
        return result
