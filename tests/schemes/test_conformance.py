"""What every scheme must do, ours and a user's own: one table, every row for each scheme."""

import base64
import inspect
import logging
import re
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any
from unittest.mock import ANY

import pytest

from flask_unauthorized import (
    APIKey,
    Auth,
    Basic,
    Bearer,
    Challenge,
    Digest,
    DPoP,
    Identity,
    InvalidCredentials,
    MalformedCredentials,
    Scheme,
)
from flask_unauthorized.schemes.remote_user import RemoteUser
from flask_unauthorized.signals import authenticated, refused
from tests import digest_client, dpop_client

from .challenges import parse_challenges

GOOD, WRONG = "c4nary-good-s3cret", "c4nary-wrong-s3cret"


class Stamp(Scheme[str]):
    """A scheme as a user would write it: its own name, its own header."""

    name = "Stamp"
    reads = (("header", "x-stamp"),)

    def read(self, request, rest):
        value = request.headers.get("X-Stamp")
        if value is not None and " " in value:
            raise MalformedCredentials
        return value

    def verify(self, credentials, request):
        return self.load(credentials)

    def challenges(self, realm, error, request):
        told = () if error is None or error.error is None else (("error", error.error),)
        return (Challenge("Stamp", (("realm", realm), *told)),)


def make_digest(load=None):
    """Its loader is asked for the secret, and never sees what was sent: a wrong answer is found afterwards."""
    if load is None or not inspect.iscoroutinefunction(load):
        return Digest(load and (lambda name: (GOOD, load(name, GOOD))))

    async def look_up(name):
        return GOOD, await load(name, GOOD)

    return Digest(look_up)


HOLDER = dpop_client.Holder()


def make_dpop(load=None):
    """Its identities are bound to the key of who sends."""
    if load is None:
        return DPoP(origin=dpop_client.ORIGIN)

    def bound(found):
        return replace(found, confirmation={"jkt": HOLDER.jkt}) if isinstance(found, Identity) else found

    async def look_up(token):
        return bound(await load(token))

    made = look_up if inspect.iscoroutinefunction(load) else lambda token: bound(load(token))
    return DPoP(made, origin=dpop_client.ORIGIN)


@dataclass(frozen=True)
class SchemeCase:
    name: str
    make: Any
    send: Any  # secret -> what the test client sends
    broken: Any  # what a broken request sends
    given: Any = lambda secret: (secret,)  # what the loader gets
    extra: dict[str, str] = field(default_factory=dict)


def basic_request(secret):
    return {"headers": {"Authorization": "Basic " + base64.b64encode(f"ada:{secret}".encode()).decode()}}


def digest_request(secret):
    def to(scheme, app, path, method):
        with app.app_context():
            nonce = scheme._nonces.mint(app, "the app")
        told = {"realm": "the app", "nonce": nonce, "algorithm": "SHA-256"}
        return {"headers": digest_client.sent(told, password=secret, uri=path, method=method)}

    return to


def dpop_request(secret):
    def to(scheme, app, path, method):
        return {"headers": HOLDER.sent(token=secret, path=path, method=method)}

    return to


CASES = {
    "dpop": SchemeCase(
        "DPoP",
        make_dpop,
        dpop_request,
        {"headers": {"Authorization": "DPoP a b"}},
        extra={"algs": "ES256 Ed25519 EdDSA PS256"},
    ),
    "digest": SchemeCase(
        "Digest",
        make_digest,
        digest_request,
        {"headers": {"Authorization": "Digest abc"}},
        lambda secret: ("ada", GOOD),
        {"nonce": ANY, "algorithm": "SHA-256", "qop": "auth", "charset": "UTF-8"},
    ),
    "bearer": SchemeCase(
        "Bearer",
        Bearer,
        lambda secret: {"headers": {"Authorization": f"Bearer {secret}"}},
        {"headers": {"Authorization": "Bearer a b"}},
    ),
    "token": SchemeCase(
        "Token",
        lambda load=None: Bearer(load, name="Token"),
        lambda secret: {"headers": {"Authorization": f"Token {secret}"}},
        {"headers": {"Authorization": "Token a b"}},
    ),
    "basic": SchemeCase(
        "Basic",
        Basic,
        basic_request,
        {"headers": {"Authorization": "Basic YTpi,YTpi"}},
        lambda secret: ("ada", secret),
        {"charset": "UTF-8"},
    ),
    "header": SchemeCase(
        "ApiKey",
        APIKey,
        lambda secret: {"headers": {"X-API-Key": secret}},
        {"headers": {"X-API-Key": "a,b"}},
        extra={"in": "header", "name": "X-API-Key"},
    ),
    "query": SchemeCase(
        "ApiKey",
        lambda load=None: APIKey(load, query="key"),
        lambda secret: {"query_string": {"key": secret}},
        {"query_string": "key=a&key=b"},
        extra={"in": "query", "name": "key"},
    ),
    "cookie": SchemeCase(
        "ApiKey",
        lambda load=None: APIKey(load, cookie="key"),
        lambda secret: {"headers": {"Cookie": f"key={secret}"}},
        {"headers": {"Cookie": "key=a; key=b"}},
        extra={"in": "cookie", "name": "key"},
    ),
    "remote user": SchemeCase(
        "RemoteUser",
        RemoteUser,
        lambda secret: {"environ_overrides": {"REMOTE_USER": secret}},
        {"environ_overrides": {"REMOTE_USER": "a\x00b"}},
    ),
    "remote user of a proxy": SchemeCase(
        "RemoteUser",
        lambda load=None: RemoteUser(load, header="X-Forwarded-User", proxies=["127.0.0.1"]),
        lambda secret: {"headers": {"X-Forwarded-User": secret}},
        {"headers": {"X-Forwarded-User": "ada,admin"}},
    ),
    "own": SchemeCase(
        "Stamp", Stamp, lambda secret: {"headers": {"X-Stamp": secret}}, {"headers": {"X-Stamp": "a b"}}
    ),
}  # fmt: skip


@pytest.fixture(params=CASES)
def case(request):
    return CASES[request.param]


@pytest.fixture
def build(make_app, case):
    """An app with the scheme under test alone. The loader says yes to GOOD, unless ``answer`` says otherwise."""

    def make(answer=None, *, loader=None, unavailable=()):
        calls, ran = [], []
        ada = Identity("ada", scopes={"read"})

        def load(*given):
            calls.append(given)
            if answer is not None:
                return answer(*given)
            return ada if given[-1] == GOOD else None

        scheme = case.make(loader or load)
        auth = Auth(scheme, realm="the app", unavailable=unavailable)
        app = make_app(auth, PROPAGATE_EXCEPTIONS=False, SECRET_KEY="a secret of thirty-two characters")
        app.testing = False

        @app.route("/", methods=["GET"])
        @auth.login_required(scopes={"read"})
        @auth.login_required
        def view():
            ran.append((auth.identity, auth.scheme))
            assert auth.require(scopes={"read"}) is auth.identity
            return auth.identity.subject

        @app.get("/plain")
        @auth.login_required
        def plain():
            ran.append((auth.identity, auth.scheme))
            return "in"

        @app.get("/write")
        @auth.login_required(scopes={"write"})
        def write():
            ran.append((auth.identity, auth.scheme))
            return "written"

        @app.get("/optional")
        @auth.login_optional
        def optional():
            return "somebody" if auth.get_identity() else "anonymous"

        def send(secret=None, path="/", method="GET", **kwargs):
            client = app.test_client(use_cookies=False)
            return client.open(path, method=method, **(kwargs or (sent(secret, path, method) if secret else {})))

        def sent(secret, path="/", method="GET"):
            what = case.send(secret)
            return what(scheme, app, path, method) if callable(what) else what

        return SimpleNamespace(app=app, auth=auth, scheme=scheme, send=send, sent=sent, calls=calls, ran=ran)

    return make


def without_nonce(text):
    """Without the nonce, which is another one each time."""
    return re.sub('nonce="[^"]+"', "", str(text))


def assert_clean(case, response):
    """401, one challenge of this scheme, and no word of an error."""
    assert response.status_code == 401
    assert parse_challenges(response) == [(case.name, {"realm": "the app", **case.extra})]
    assert response.headers["Cache-Control"] == "no-store"


def assert_failed(case, response):
    """401, one challenge of this scheme, which tells the error where the scheme has a word for it."""
    assert response.status_code == 401
    ((scheme, params),) = parse_challenges(response)
    assert (scheme, params["realm"]) == (case.name, "the app")
    assert params.get("error") == (None if case.name in ("Basic", "Digest") else "invalid_token")
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.rfc("H-01", "H-03", "B-09")
def test_nothing_sent_is_401_with_its_challenge_and_the_loader_is_not_called(build, case):
    api = build(lambda *given: Identity("anybody", scopes={"read"}))
    assert_clean(case, api.send())
    assert (api.calls, api.ran) == ([], [])


@pytest.mark.rfc("H-03")
def test_another_scheme_counts_as_nothing_sent(build, case):
    api = build(lambda *given: Identity("anybody", scopes={"read"}))
    assert_clean(case, api.send(headers={"Authorization": "Negotiate YTpi"}))
    assert api.calls == []


@pytest.mark.rfc("H-07")
def test_credentials_for_a_proxy_do_not_count(build, case):
    api = build(lambda *given: Identity("anybody", scopes={"read"}))
    sent = api.sent(GOOD).get("headers", {})
    headers = {"Proxy-Authorization": sent.get("Authorization", "Basic YTpi")}
    headers |= {name: value for name, value in sent.items() if name == "DPoP"}
    response = api.send(headers=headers)
    assert_clean(case, response)
    assert not [name for name, _ in response.headers if name.lower().startswith("proxy-")]
    assert api.calls == []


@pytest.mark.rfc("H-03")
def test_wrong_credentials_are_401(build, case):
    api = build()
    assert_failed(case, api.send(WRONG))
    assert (api.calls, api.ran) == ([case.given(WRONG)], [])


@pytest.mark.rfc("C-01", "H-08")
def test_good_credentials_are_200_and_the_loader_is_asked_once(build, case):
    api = build()
    response = api.send(GOOD)
    assert (response.status_code, response.text) == (200, "ada")
    assert api.calls == [case.given(GOOD)]
    assert [(identity.subject, scheme) for identity, scheme in api.ran] == [("ada", api.scheme)]
    assert "WWW-Authenticate" not in response.headers
    assert not re.search("public|s-maxage|must-revalidate", response.headers.get("Cache-Control", ""))


def test_broken_syntax_is_400_without_the_loader(build, case):
    api = build(lambda *given: Identity("anybody", scopes={"read"}))
    response = api.send(**case.broken)
    assert response.status_code == 400
    assert [scheme for scheme, _ in parse_challenges(response)] == [case.name]
    assert response.headers["Cache-Control"] == "no-store"
    assert (api.calls, api.ran) == ([], [])


@pytest.mark.parametrize("error", [ValueError, KeyError, TimeoutError, LookupError, AssertionError])
def test_bug_in_the_loader_is_500_never_401_LDR_09(build, error):
    def load(*given):
        raise error("db-password-0f-ours")

    api = build(load, unavailable=(ConnectionError,))
    response = api.send(GOOD)
    assert response.status_code == 500
    assert "WWW-Authenticate" not in response.headers
    assert "db-password-0f-ours" not in response.text
    assert api.ran == []


@pytest.mark.rfc("I-07")
@pytest.mark.parametrize("path", ["/", "/optional"])
def test_a_server_side_failure_is_503_with_retry_after_and_no_challenge(build, path):
    def load(*given):
        raise ConnectionResetError("the database is gone")  # a subclass of what is listed

    api = build(load, unavailable=(ConnectionError,))
    response = api.send(GOOD, path)
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0
    assert "WWW-Authenticate" not in response.headers
    assert response.headers["Cache-Control"] == "no-store"
    assert "database" not in response.text
    assert api.ran == []


@pytest.mark.parametrize(("secret", "status"), [(GOOD, 200), (WRONG, 401)])
def test_async_loader_is_awaited(build, case, secret, status):
    async def load(*given):
        return Identity("ada", scopes={"read"}) if given[-1] == GOOD else None

    api = build(loader=load)
    assert api.send(secret).status_code == status


def test_async_loader_that_fails_is_500_or_503(build):
    async def load(*given):
        raise ConnectionError

    assert build(loader=load).send(GOOD).status_code == 500
    assert build(loader=load, unavailable=(ConnectionError,)).send(GOOD).status_code == 503


def test_none_is_401(build, case):
    assert_failed(case, build(lambda *given: None).send(GOOD))


def test_expired_identity_is_401(build, case):
    api = build(lambda *given: Identity("ada", scopes={"read"}, expires_at=1_000_000_000))
    assert_failed(case, api.send(GOOD))
    assert api.ran == []


def test_expired_identity_without_the_scope_is_still_401(build, case):
    api = build(lambda *given: Identity("ada", expires_at=1_000_000_000))
    assert_failed(case, api.send(GOOD, "/write"))


@pytest.mark.rfc("H-02", "H-04")
def test_missing_scope_is_403(build, case):
    api = build()
    response = api.send(GOOD, "/write")
    assert response.status_code == 403
    assert {params.get("error") for _, params in parse_challenges(response)} <= {"insufficient_scope"}
    assert response.headers["Cache-Control"] == "no-store"
    assert api.ran == []


def test_bare_user_object_gets_in_where_no_scope_is_demanded(build):
    user = object()
    api = build(lambda *given: user)
    if api.scheme.proves_key:  # a bare user is bound to no key: the loader has a bug
        assert (api.send(GOOD, "/plain").status_code, api.ran) == (500, [])
        return
    assert api.send(GOOD, "/plain").status_code == 200
    assert api.ran[0][0].user is user
    assert api.ran[0][0].scopes == frozenset()


@pytest.mark.rfc("OP-02")
@pytest.mark.parametrize(
    ("secret", "status", "body"), [(None, 200, "anonymous"), (GOOD, 200, "somebody"), (WRONG, 401, None)]
)
def test_optional_view_refuses_bad_credentials_REQ_24(build, secret, status, body):
    response = build().send(secret, "/optional")
    assert response.status_code == status
    assert body in (None, response.text)


def test_one_caller_is_not_the_next_ones(build, case):
    api = build()
    assert api.send(GOOD).status_code == 200
    assert_clean(case, api.send())


def test_refusal_is_repeated_without_asking_the_loader_again_V5(build, case):
    api = build()
    texts = []

    @api.app.get("/twice")
    def twice():
        for _ in range(2):
            with pytest.raises(InvalidCredentials) as caught:
                api.auth.require()
            texts.append([without_nonce(challenge) for challenge in caught.value.challenges])
        return "both refused"

    assert api.send(WRONG, "/twice").text == "both refused"
    assert api.calls == [case.given(WRONG)]
    assert texts[0] == texts[1] != []


@pytest.mark.rfc("H-25")
@pytest.mark.parametrize("secret", [None, WRONG])
def test_head_has_the_headers_of_get_and_no_body(build, secret):
    api = build()
    get, head = api.send(secret), api.send(secret, method="HEAD")
    assert (head.status_code, head.data) == (401, b"")
    found = [sorted((name, without_nonce(value)) for name, value in response.headers) for response in (head, get)]
    assert found[0] == found[1]


@pytest.mark.parametrize("outcome", ["good", "wrong", "bug", "unavailable", "broken"])
def test_secret_is_nowhere_V6(build, case, caplog, outcome):
    caplog.set_level(logging.DEBUG)

    def bug(*given):
        raise ValueError

    def gone(*given):
        raise ConnectionError

    api = build({"bug": bug, "unavailable": gone}.get(outcome), unavailable=(ConnectionError,))
    heard = []

    def listen(sender, **arguments):
        heard.append(f"{arguments!r} {[vars(value) for value in arguments.values() if isinstance(value, Exception)]!r}")

    with refused.connected_to(listen, api.app), authenticated.connected_to(listen, api.app):
        response = api.send(WRONG) if outcome == "wrong" else api.send(GOOD)
    read = api.scheme.read
    with api.app.test_request_context(**api.sent(GOOD)) as context:
        rest = context.request.headers.get("Authorization", "").partition(" ")[2] or None
        credentials = read(context.request, rest)
    places = [
        response.text,
        str(response.headers),
        caplog.text,
        *heard,
        repr(api.scheme),
        repr(api.auth),
        repr(api.ran),
    ]
    if case.name != "Stamp":  # what a user's own read() returns is the user's
        places.append(repr(credentials))
    wire = base64.b64encode(f"ada:{GOOD}".encode()).decode()
    for place in places:
        assert not any(secret in place for secret in ("c4nary", "s3cret", wire)), place
    assert heard or outcome == "bug"
