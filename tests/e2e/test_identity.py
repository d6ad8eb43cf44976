"""The credential chain beside botocore's own: the same files and variables give both the same identity."""

import datetime
import hashlib
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import botocore.session
import pytest
from aws_fake import AwsFake
from harness import EAST, command

KEYS = {f"AKIA{name}".ljust(20, "0"): f"secret-of-{name}" for name in ("BASE", "OTHER", "ENVIRONMENT", "ONE", "TWO", "TOKEN", "SSO")}
BASE, OTHER, ENVIRONMENT, ONE, TWO, TOKEN, SSO = KEYS
ROLE = "arn:aws:iam::123456789012:role/"
URL = "https://corp.awsapps.com/start"


def pair(key):
    return f"aws_access_key_id = {key}\naws_secret_access_key = {KEYS[key]}\n"


def later(**more):
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(**more)


def iso(time):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def assume(call):
    name = call.params["RoleArn"].rpartition("/")[2]
    key = {"one": ONE, "two": TWO}[name]
    return {
        "Credentials": {"AccessKeyId": key, "SecretAccessKey": KEYS[key], "SessionToken": "session", "Expiration": later(hours=1)},
        "AssumedRoleUser": {"AssumedRoleId": "AROAEXAMPLE:x", "Arn": f"arn:aws:sts::123456789012:assumed-role/{name}/x"},
    }


@pytest.fixture
def aws():
    with AwsFake(KEYS) as aws:
        aws.on("sts", "AssumeRole", assume)
        aws.on("sts", "GetCallerIdentity", lambda call: {
            "UserId": "AIDAEXAMPLE", "Account": "123456789012", "Arn": f"arn:aws:iam::123456789012:user/{call.headers['who']}"})
        yield aws


class Home:
    """A home directory, and what weir and botocore make of it."""

    def __init__(self, path, monkeypatch, aws):
        self.path, self.monkeypatch, self.aws = path, monkeypatch, aws
        self.env = {"HOME": str(path), "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": EAST, "AWS_DEFAULT_REGION": EAST}
        self.file("weir.yaml", json.dumps({"regions": {EAST: {}}, "aws": {"endpoint": aws.url}}))
        for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
            monkeypatch.delenv(name)

    def file(self, name, text):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def weir(self, **more):
        ran = command("whoami", "--json", "-c", str(self.path / "weir.yaml"), env={**self.env, **more})
        (found,) = json.loads(ran.stdout)
        assert not any(secret in ran.stdout + ran.stderr for secret in KEYS.values())
        return found

    def botocore(self, **more):
        for name, value in {**self.env, **more, "AWS_ENDPOINT_URL": self.aws.url}.items():
            self.monkeypatch.setenv(name, value)
        session = botocore.session.Session()
        arn = session.create_client("sts").get_caller_identity()["Arn"]
        for name in more:
            self.monkeypatch.delenv(name)
        return arn

    def agree(self, key, **more):
        found = self.weir(**more)
        assert found["arn"] == f"arn:aws:iam::123456789012:user/{key}", found
        assert self.botocore(**more) == found["arn"]
        return found


@pytest.fixture
def home(tmp_path, monkeypatch, aws):
    return Home(tmp_path, monkeypatch, aws)


def test_keys_and_roles(home):
    home.file(".aws/credentials", "[default]\n" + pair(BASE) + "[beside]\n" + pair(OTHER))
    home.file(".aws/config", (
        "[profile one]\nrole_arn = " + ROLE + "one\nsource_profile = default\nexternal_id = weir-1\n"
        "[profile two]\nrole_arn = " + ROLE + "two\nsource_profile = one\nrole_session_name = me-2\n"
        "[profile beside]\nrole_arn = " + ROLE + "one\nsource_profile = beside\nduration_seconds = 900\n"
        "[profile keyed]\nrole_arn = " + ROLE + "two\nsource_profile = beside\n"
        "[profile place]\nrole_arn = " + ROLE + "two\ncredential_source = Environment\n"
        "[profile circle]\nrole_arn = " + ROLE + "one\nsource_profile = round\n"
        "[profile round]\nrole_arn = " + ROLE + "two\nsource_profile = circle\n"
    ))
    variables = {"AWS_ACCESS_KEY_ID": ENVIRONMENT, "AWS_SECRET_ACCESS_KEY": KEYS[ENVIRONMENT]}
    home.agree(BASE)
    home.agree(ENVIRONMENT, **variables)
    for profile, key in {"one": ONE, "two": TWO, "beside": ONE, "keyed": TWO}.items():
        home.agree(key, AWS_PROFILE=profile)
        first = [c for c in home.aws.calls("AssumeRole")][-1]
        assert first.params["RoleArn"] == ROLE + ("two" if key == TWO else "one")
    assert home.aws.calls("AssumeRole")[0].headers["who"] == BASE
    assert home.aws.calls("AssumeRole")[0].params["ExternalId"] == "weir-1"
    with pytest.raises(Exception, match="[Ii]nfinite loop"):
        home.botocore(AWS_PROFILE="circle")
    found = home.weir(AWS_PROFILE="circle")
    assert any("go in a circle: circle -> round -> circle" in t["outcome"] for t in found["tried"])
    home.file("weir.yaml", json.dumps({
        "regions": {EAST: {}}, "aws": {"endpoint": home.aws.url}, "credentials": {"profile": "place"}}))
    assert home.weir(**variables)["arn"].endswith(TWO)
    assert home.aws.calls("AssumeRole")[-1].headers["who"] == ENVIRONMENT


class Portal:
    """sso and sso-oidc. Each answer counts its calls."""

    def __init__(self):
        self.tokens, self.renewals, self.spent = {"first"}, 0, set()
        portal = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                good = self.headers.get("x-amz-sso_bearer_token") in portal.tokens
                keys = {"accessKeyId": SSO, "secretAccessKey": KEYS[SSO], "sessionToken": "s",
                        "expiration": int(later(hours=1).timestamp() * 1000)}
                self.say(200 if good else 401, {"roleCredentials": keys} if good else {"message": "no"})

            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
                if asked["refreshToken"] in portal.spent or asked["clientSecret"] != "hush":
                    return self.say(400, {"error": "invalid_grant"})
                portal.spent.add(asked["refreshToken"])
                portal.renewals += 1
                token = f"renewed-{portal.renewals}"
                portal.tokens = {token}
                self.say(200, {"accessToken": token, "expiresIn": 3600, "refreshToken": f"again-{portal.renewals}", "tokenType": "Bearer"})

            def say(self, status, body):
                body = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("content-type", "application/json")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def portal():
    portal = Portal()
    yield portal
    portal.close()


def test_an_sso_session_is_renewed_and_botocore_goes_on_with_it(home, portal):
    home.file(".aws/config", (
        "[default]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = Dev\n"
        f"[sso-session corp]\nsso_region = {EAST}\nsso_start_url = {URL}\n"
    ))
    cache = f".aws/sso/cache/{hashlib.sha1(b'corp').hexdigest()}.json"
    token = {
        "startUrl": URL, "region": EAST, "accessToken": "first", "expiresAt": iso(later(minutes=5)), "clientId": "id",
        "clientSecret": "hush", "registrationExpiresAt": iso(later(days=30)), "refreshToken": "again",
    }
    file = home.file(cache, json.dumps(token))
    home.file("weir.yaml", json.dumps({
        "regions": {EAST: {}}, "aws": {"endpoint": home.aws.url, "sso": portal.url, "oidc": portal.url}}))
    found = home.weir()
    assert found["arn"].endswith(SSO) and found["source"] == "profile default (SSO)"
    assert portal.renewals == 1
    kept = json.loads(file.read_text())
    assert (kept["accessToken"], kept["refreshToken"]) == ("renewed-1", "again-1")
    assert file.stat().st_mode & 0o777 == 0o600
    urls = {"AWS_ENDPOINT_URL_SSO": portal.url, "AWS_ENDPOINT_URL_SSO_OIDC": portal.url}
    # botocore looks for the cache where HOME was when it was imported.
    from botocore import tokens
    from botocore.credentials import SSOProvider

    folder = str(file.parent)
    home.monkeypatch.setattr(SSOProvider, "_SSO_TOKEN_CACHE_DIR", folder)
    home.monkeypatch.setattr(tokens.SSOTokenProvider, "_SSO_TOKEN_CACHE_DIR", folder)
    assert home.botocore(**urls) == found["arn"]
    assert portal.renewals == 1, "the token that weir wrote is good"
    file.write_text(json.dumps({**kept, "expiresAt": iso(later(minutes=5))}))
    assert home.botocore(**urls) == found["arn"]
    assert portal.renewals == 2
    assert home.weir()["arn"] == found["arn"], "and weir takes the one that botocore wrote"
    assert portal.renewals == 2
