"""A stand-in for AWS services whose wire format is not ours: botocore's service models say what a request and an answer may be.

    with AwsFake() as aws:
        aws.on("service-quotas", "ListServiceQuotas", lambda call: {"Quotas": [...]})
        ... a weir with `aws: {endpoint: aws.url}` ...
        aws.calls("ListServiceQuotas")[0].params
    # leaving raises if any request or scripted answer broke the service's model

Each request is told by its signature's scope, read by the protocol it speaks (JSON, Query, REST), and held against the operation's
input shape: unknown members, missing ones, types, lengths, enums. An answer is held against the output shape and read back with
botocore's own parser before it goes out. Operations that nobody scripted are refused with 403, as an account without the permission
would. A handler may raise `Fault` or return `Raw` to misbehave.
"""

import base64
import datetime
import gzip
import json
import re
import threading
import time
import urllib.parse
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from xml.sax.saxutils import escape

import botocore.parsers
import botocore.session
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.validate import ParamValidator

ACCESS_KEY, SECRET_KEY = "AKIDEXAMPLE", "example-secret"
SERVICES = {
    "monitoring": ["cloudwatch"],
    "servicequotas": ["service-quotas"],
    "sts": ["sts"],
    "sns": ["sns"],
    "logs": ["logs"],
    "bedrock": ["bedrock", "bedrock-runtime"],
}
_session = botocore.session.get_session()
_models = {}


def model_of(service):
    if service not in _models:
        _models[service] = _session.get_service_model(service)
    return _models[service]


@dataclass
class Call:
    service: str
    operation: str
    region: str
    params: dict
    headers: dict = field(repr=False, default_factory=dict)

    @property
    def action(self):
        """As an IAM policy names it."""
        prefix = {"service-quotas": "servicequotas", "bedrock-runtime": "bedrock"}.get(self.service, self.service)
        return f"{prefix}:{self.operation}"


class Fault(Exception):
    """An error as the service would answer it."""

    def __init__(self, status, code, message=""):
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


@dataclass
class Raw:
    """An answer that need not be one: bytes as they are, after `delay` seconds."""

    body: bytes = b""
    status: int = 200
    headers: dict = field(default_factory=dict)
    delay: float = 0


def problems_of(shape, value, path, patterns=True):
    """What botocore's ParamValidator leaves out: enums, lengths and patterns of strings inside. Answers do not always keep to the
    patterns: the ARN of a global profile's model has no Region."""
    if value is None:
        return []
    found = []
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if name in value:
                found += problems_of(member, value[name], f"{path}.{name}", patterns)
    elif shape.type_name == "list":
        most = shape.metadata.get("max")
        if most is not None and len(value) > most:
            found.append(f"{path}: {len(value)} entries, at most {most}")
        for i, item in enumerate(value):
            found += problems_of(shape.member, item, f"{path}[{i}]", patterns)
    elif shape.type_name == "map":
        for key, item in value.items():
            found += problems_of(shape.value, item, f"{path}[{key}]", patterns)
    elif shape.type_name == "string" and isinstance(value, str):
        enum, most = shape.metadata.get("enum"), shape.metadata.get("max")
        pattern = shape.metadata.get("pattern")
        if enum and value not in enum:
            found.append(f"{path}: {value!r} is none of {enum}")
        if most is not None and len(value) > most:
            found.append(f"{path}: {len(value)} characters, at most {most}")
        if pattern and patterns:
            try:
                if not re.search(pattern, value):
                    found.append(f"{path}: {value!r} does not match {pattern}")
            except re.error:
                pass  # Java's own syntax
    return found


def check(shape, value, what, patterns=True):
    if shape is None:
        return [f"{what}: nothing is allowed"] if value else []
    report = ParamValidator().validate(value, shape)
    found = [f"{what}: {report.generate_report()}"] if report.has_errors() else []
    return found or problems_of(shape, value, what, patterns)


# ---- requests


def from_query(shape, form, prefix):
    """What a Query form says, by the shape it is for."""
    name = shape.type_name
    if name == "structure":
        out = {}
        for member, inner in shape.members.items():
            key = inner.serialization.get("name", member)
            value = from_query(inner, form, f"{prefix}.{key}" if prefix else key)
            if value is not None:
                out[member] = value
        return out if out or not prefix else None
    if name in ("list", "map"):
        if name == "list":
            base = prefix if shape.serialization.get("flattened") else f"{prefix}.{shape.member.serialization.get('name', 'member')}"
        else:
            base = f"{prefix}.entry"
        items = []
        while True:
            at = f"{base}.{len(items) + 1}"
            if not any(key == at or key.startswith(at + ".") for key in form):
                break
            if name == "list":
                items.append(from_query(shape.member, form, at))
            else:
                items.append((form[f"{at}.key"], from_query(shape.value, form, f"{at}.value")))
        if name == "map":
            items = dict(items)
        return items or None
    if prefix not in form:
        return None
    form.setdefault("", set()).add(prefix)
    text = form[prefix]
    if name in ("integer", "long"):
        return int(text)
    if name in ("float", "double"):
        return float(text)
    if name == "boolean":
        return {"true": True, "false": False}[text]
    return text


def rest_operation(model, method, path):
    """The operation whose URI this is, and what the path says; the most literal pattern wins."""
    best = None
    for name in model.operation_names:
        http = model.operation_model(name).http
        uri = http["requestUri"].split("?")[0]
        if http["method"] != method:
            continue
        pattern = re.escape(uri).replace(r"\{", "{").replace(r"\}", "}")
        pattern = re.sub(r"\{([A-Za-z]+)\\?\+?\}", lambda m: f"(?P<{m.group(1)}>[^/]+)", pattern)
        match = re.fullmatch(pattern, path)
        if match and (best is None or uri.count("{") < best[2]):
            values = {k: urllib.parse.unquote(v) for k, v in match.groupdict().items()}
            best = (name, values, uri.count("{"))
    return best


def from_rest(operation, values, query, headers, body):
    shape, out = operation.input_shape, {}
    payload = json.loads(body) if body else {}
    if shape is None:
        return payload
    known = set()
    for member, inner in shape.members.items():
        where, name = inner.serialization.get("location"), inner.serialization.get("name", member)
        if where == "uri":
            out[member] = values[name]
        elif where == "querystring" and name in query:
            known.add(name)
            text = query[name][0]
            out[member] = int(text) if inner.type_name in ("integer", "long") else text
        elif where == "header" and name.lower() in headers:
            out[member] = headers[name.lower()]
        elif where is None and name in payload:
            known.add(name)
            out[member] = payload.pop(name)
    out.update(payload)  # what is left is unknown, and will be told
    for name in query:
        if name not in known:
            out[name] = query[name][0]
    return out


# ---- answers


def to_xml(shape, value, name):
    if value is None:
        return ""
    if shape.type_name == "structure":
        inner = "".join(
            to_xml(member, value.get(key), member.serialization.get("name", key)) for key, member in shape.members.items()
        )
        return f"<{name}>{inner}</{name}>"
    if shape.type_name == "list":
        if shape.serialization.get("flattened"):
            return "".join(to_xml(shape.member, item, name) for item in value)
        each = shape.member.serialization.get("name", "member")
        return f"<{name}>" + "".join(to_xml(shape.member, item, each) for item in value) + f"</{name}>"
    if shape.type_name == "map":
        entries = "".join(
            f"<entry>{to_xml(shape.key, k, 'key')}{to_xml(shape.value, v, 'value')}</entry>" for k, v in value.items()
        )
        return f"<{name}>{entries}</{name}>"
    if isinstance(value, bool):
        value = "true" if value else "false"
    if isinstance(value, datetime.datetime):
        value = value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return f"<{name}>{escape(str(value))}</{name}>"


class AwsFake:
    def __init__(self, keys=None):
        self.keys = keys or {ACCESS_KEY: SECRET_KEY}  # who may sign
        self.handlers, self.seen, self.problems = {}, [], []
        self.lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self):
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                answer = fake.answer(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
                if answer.delay:
                    time.sleep(answer.delay)
                try:
                    self.send_response(answer.status)
                    for name, value in {"x-amzn-requestid": "req-1", **answer.headers}.items():
                        self.send_header(name, value)
                    self.send_header("content-length", str(len(answer.body)))
                    self.end_headers()
                    self.wfile.write(answer.body)
                except OSError:
                    self.close_connection = True

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do

            def log_message(self, *_):
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass  # a client that went away

        self.server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def __enter__(self):
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.server.shutdown()
        self.server.server_close()
        if kind is None and self.problems:
            raise AssertionError("not as the service's model has it:\n" + "\n".join(self.problems))

    def on(self, service, operation, handler):
        """`handler(call)`, or an answer that is always the same; a `Fault` may be raised or given."""
        assert operation in model_of(service).operation_names, operation
        self.handlers[service, operation] = handler if callable(handler) else lambda _: handler

    def calls(self, operation=None, region=None):
        with self.lock:
            return [c for c in self.seen if operation in (None, c.operation) and region in (None, c.region)]

    # ---- one request

    def answer(self, method, target, headers, body):
        protocol, path = "json", urllib.parse.urlsplit(target)
        try:
            if headers.get("content-encoding") == "gzip":
                plain = gzip.decompress(body)
            else:
                plain = body
            region, signing, who = self.scope(method, target, headers, body)
            service, operation, params, protocol = self.read(signing, method, path, headers, plain)
            call = Call(service, operation.name, region, params, {**headers, "who": who})
            with self.lock:
                self.seen.append(call)
            wrong = check(operation.input_shape, params, operation.name)
            if wrong:
                self.complain(f"{method} {target}: " + "; ".join(wrong))
                raise Fault(400, "ValidationException", "; ".join(wrong))
            handler = self.handlers.get((service, operation.name))
            if handler is None:
                raise Fault(403, "AccessDeniedException", f"User is not authorized to perform: {call.action}")
            given = handler(call)
            if isinstance(given, Fault):
                raise given
            return given if isinstance(given, Raw) else self.good(operation, protocol, given)
        except Fault as fault:
            return self.bad(protocol, fault)
        except Exception as error:  # the fake, or the handler, is broken: said when the test ends
            self.complain(f"{method} {target}: {error!r}")
            return self.bad(protocol, Fault(500, "InternalFailure", repr(error)))

    def complain(self, text):
        with self.lock:
            self.problems.append(text)

    def scope(self, method, target, headers, body):
        """Region, signing name and key of a good signature; anything else is refused as AWS would."""
        match = re.match(
            r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/([^/]+)/([^/]+)/aws4_request, *SignedHeaders=([^,]+), *Signature=(\w+)$",
            headers.get("authorization", ""),
        )
        if not match:
            raise Fault(403, "MissingAuthenticationToken", "no signature")
        who, region, signing, names, signature = match.groups()
        if who not in self.keys:
            raise Fault(403, "UnrecognizedClientException", "The security token included in the request is invalid.")
        request = AWSRequest(method, f"http://{headers['host']}{target}", data=body)
        for name in names.split(";"):
            request.headers[name] = headers[name]
        request.context["timestamp"] = headers["x-amz-date"]
        auth = SigV4Auth(Credentials(who, self.keys[who], headers.get("x-amz-security-token")), signing, region)
        text = auth.string_to_sign(request, auth.canonical_request(request))
        if auth.signature(text, request) != signature:
            raise Fault(403, "InvalidSignatureException", "The request signature we calculated does not match.")
        return region, signing, who

    def read(self, signing, method, path, headers, body):
        services = SERVICES.get(signing)
        if services is None:
            raise Fault(404, "UnknownOperationException", f"no service signs as {signing}")
        target, kind = headers.get("x-amz-target"), headers.get("content-type", "")
        if target:
            model = model_of(services[0])
            prefix, name = target.split(".")
            if prefix != model.metadata["targetPrefix"] or name not in model.operation_names:
                raise ValueError(f"no operation is called {target}")
            if kind != f"application/x-amz-json-{model.metadata['jsonVersion']}":
                raise ValueError(f"content-type {kind}")
            return services[0], model.operation_model(name), json.loads(body), "json"
        if kind.startswith("application/x-www-form-urlencoded"):
            model = model_of(services[0])
            form = dict(urllib.parse.parse_qsl(body.decode(), keep_blank_values=True, strict_parsing=True))
            name, version = form.pop("Action"), form.pop("Version")
            if name not in model.operation_names or version != model.api_version:
                raise ValueError(f"no operation is called {name} in {version}")
            operation = model.operation_model(name)
            params = from_query(operation.input_shape, form, "") if operation.input_shape else {}
            used = form.pop("", set())
            for key in form:
                if key not in used and not re.search(r"\.entry\.\d+\.key$", key):
                    params[key] = form[key]  # unknown, and will be told
            return services[0], operation, params, "query"
        for service in services:
            model = model_of(service)
            found = rest_operation(model, method, path.path)
            if found:
                operation = model.operation_model(found[0])
                query = urllib.parse.parse_qs(path.query, strict_parsing=bool(path.query))
                return service, operation, from_rest(operation, found[1], query, headers, body), "rest-json"
        raise Fault(404, "UnknownOperationException", f"{method} {path.path}")

    def good(self, operation, protocol, given):
        given = given or {}
        wrong = check(operation.output_shape, given, f"the answer to {operation.name}", patterns=False)
        if wrong:
            raise ValueError("; ".join(wrong))
        if protocol == "query":
            inner = ""
            if operation.output_shape is not None:
                wrapper = operation.output_shape.serialization.get("resultWrapper", f"{operation.name}Result")
                inner = to_xml(operation.output_shape, given, wrapper)
            text = f"<{operation.name}Response>{inner}<ResponseMetadata><RequestId>req-1</RequestId></ResponseMetadata></{operation.name}Response>"
            headers = {"content-type": "text/xml"}
        else:
            iso = protocol == "rest-json"  # timestampFormat of bedrock's shapes
            text = json.dumps(self.plain(given, iso))
            headers = {"content-type": "application/json" if iso else "application/x-amz-json-1.1"}
        body = text.encode()
        if operation.output_shape is not None:
            parser = botocore.parsers.create_parser(protocol)
            back = parser.parse({"body": body, "headers": headers, "status_code": 200}, operation.output_shape)
            missing = set(given) - set(back)
            if missing:
                raise ValueError(f"botocore does not find {missing} in the answer to {operation.name}")
        return Raw(body, 200, headers)

    def plain(self, value, iso):
        if isinstance(value, dict):
            return {k: self.plain(v, iso) for k, v in value.items() if v is not None}
        if isinstance(value, (list, tuple)):
            return [self.plain(v, iso) for v in value]
        if isinstance(value, bytes):
            return base64.b64encode(value).decode()
        if isinstance(value, datetime.datetime):
            return value.astimezone(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ") if iso else value.timestamp()
        return value

    def bad(self, protocol, fault):
        if protocol == "query":
            text = f"<ErrorResponse><Error><Type>Sender</Type><Code>{fault.code}</Code><Message>{escape(fault.message)}</Message></Error><RequestId>req-1</RequestId></ErrorResponse>"
            return Raw(text.encode(), fault.status, {"content-type": "text/xml"})
        body = {"__type": fault.code, "message": fault.message}
        return Raw(json.dumps(body).encode(), fault.status, {"content-type": "application/x-amz-json-1.1", "x-amzn-errortype": fault.code})
