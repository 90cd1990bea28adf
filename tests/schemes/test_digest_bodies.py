"""Digest: bodies under ``auth-int``, and ``Authentication-Info``."""

import io
import time

import pytest
from flask import request

from flask_unauthorized import Auth, Basic, Digest, Identity
from tests.digest_client import ADA, challenge, hex_hash, sent

from .digest_served import KEY, Served, is_stale

# --- bodies


@pytest.mark.rfc("D-26")
def test_dig_15_a_body_that_was_changed(make_app):
    served = Served(make_app, qop=["auth", "auth-int"])
    offered = served.challenge()
    assert offered["qop"] == "auth, auth-int"
    assert served.ask(offered, method="POST", qop="auth-int", body=b"pay 1", data=b"pay 1").status_code == 200
    assert not is_stale(served.ask(offered, nc=2, method="POST", qop="auth-int", body=b"pay 1", data=b"pay 1000"))
    assert served.ask(offered, nc=2, method="POST", qop="auth", data=b"any").status_code == 200
    assert served.ask(offered, nc=3, qop="auth-int").status_code == 200


@pytest.mark.parametrize("way", ["get_data", "stream", "form", "json"])
def test_the_view_can_still_read_a_hashed_body_in_any_way(make_app, way):
    ways = {
        "get_data": lambda: request.get_data(),
        "stream": lambda: request.stream.read(),
        "form": lambda: request.form["a"],
        "json": lambda: str(request.get_json(force=True)["a"]),
    }
    served = Served(make_app, qop=["auth-int"], view=ways[way])
    body, expected = {"form": (b"a=1", "1"), "json": (b'{"a": 1}', "1")}.get(way, (b"a=1", "a=1"))
    headers = sent(served.challenge(), method="POST", qop="auth-int", body=body)
    kind = "application/x-www-form-urlencoded" if way == "form" else "text/plain"
    assert served.app.test_client().post("/", data=body, headers=headers, content_type=kind).text == expected


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_beyond_the_limit_is_413(make_app, declared):
    served = Served(make_app, qop=["auth-int"], max_body=100)
    for size, status in ((100, 200), (101, 413)):
        body = b"x" * size
        headers = sent(served.challenge(), method="POST", qop="auth-int", body=body)
        extra = {} if declared else {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
        response = served.app.test_client().post("/", data=body, headers=headers, environ_overrides=extra)
        assert response.status_code == status


FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=b"
FIELD = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--b--\r\n'
TERMINATED = {"CONTENT_LENGTH": "", "HTTP_TRANSFER_ENCODING": "chunked", "wsgi.input_terminated": True}
# gunicorn hands over a stream of its own, which doesn't tell its position.
OPAQUE = {"wsgi.input_terminated": True}


class Opaque:
    """A stream that can be read, and nothing else."""

    def __init__(self, body, size=65536):
        self.body, self.size = io.BytesIO(body), size

    def read(self, size=-1):
        return self.body.read(min(self.size, size) if size >= 0 else size)


READERS = {
    "get_data": lambda: request.get_data(),
    "get_json": lambda: request.get_json(force=True, silent=True),
    "get_data, then form": lambda: (request.get_data(), request.form),
    "form": lambda: request.form,
    "files": lambda: request.files,
    "values": lambda: request.values,
    "data": lambda: request.data,
    "form, then data": lambda: (request.form, request.data),
    "get_data without a copy": lambda: request.get_data(cache=False),
    "stream": lambda: request.stream.read(),
    "stream in part": lambda: request.stream.read(1),
    "stream, then get_data": lambda: (request.stream.read(), request.get_data()),
    "stream in part, then get_data": lambda: (request.stream.read(1), request.get_data()),
    "environ": lambda: request.environ["wsgi.input"].read(),
    "stream unread": lambda: request.stream,
    "args": lambda: request.args,
}
KEEP = {"get_data", "get_json", "get_data, then form", "stream unread", "args"}
"""Readers after which the body can still be had."""


def read_before(served, read):
    @served.app.before_request
    def hook():
        read()


def send(served, offered, body, kind, *, size=65536, method="POST", qop="auth-int", data=None, **environ):
    headers = sent(offered, method=method, qop=qop, body=body)
    stream = io.BytesIO(body if data is None else data)
    given = {"wsgi.input": Opaque(stream.read(), size) if environ.pop("opaque", False) else stream, **environ}
    return served.app.test_client().open(
        "/",
        method=method,
        headers=headers,
        content_type=kind,
        environ_overrides={"CONTENT_LENGTH": str(len(body)), **given},
    )


def qops(response):
    return {challenge(line)["qop"] for line in response.headers.getlist("WWW-Authenticate")}


# F-37
@pytest.mark.parametrize(("body", "kind"), [(b"a=1", FORM), (FIELD, MULTIPART), (b'{"a": 1}', "application/json")])
@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("qop", [["auth-int"], ["auth", "auth-int"]], ids=["auth-int alone", "both"])
def test_a_body_that_a_hook_has_read_is_never_our_mistake(make_app, caplog, reader, qop, body, kind):
    """The body is verified where it can still be had. Else the answer is refused, and ``auth`` is offered."""
    served = Served(make_app, qop=qop)
    read_before(served, READERS[reader])
    offered = served.challenge()
    kept = reader in KEEP or (kind == "application/json" and reader in ("form", "files", "values"))
    if kind == "application/json" and reader in ("data", "form, then data"):
        kept = True  # no form, so Werkzeug keeps a copy
    response = send(served, offered, body, kind)
    if kept:
        assert response.status_code == 200
        assert send(served, offered, body, kind, data=b"x" * len(body)).status_code == 401
    elif reader == "environ":  # behind Werkzeug's back: the declared body doesn't come
        assert response.status_code == 400
    else:
        assert not is_stale(response)
        assert qops(response) == ({"auth-int"} if qop == ["auth-int"] else {"auth"})
        assert [record.levelname for record in caplog.records if "request.get_data()" in record.getMessage()] == [
            "ERROR"
        ]
        send(served, offered, body, kind)
        assert caplog.text.count("request.get_data()") == 1
    assert len(served.ran) == (1 if kept else 0)
    if len(qop) == 2:
        assert send(served, offered, body, kind, qop="auth", data=body).status_code == (200 if not kept else 401)


# F-37
@pytest.mark.parametrize("reader", ["form", "data", "stream", "get_data without a copy", "stream unread"])
@pytest.mark.parametrize("environ", [TERMINATED, OPAQUE], ids=["chunked", "declared"])
def test_a_stream_that_tells_nothing_is_never_taken_for_a_whole_body(make_app, reader, environ):
    """As gunicorn's. A hash of nothing must not pass for a body that a hook has read."""
    served = Served(make_app, qop=["auth-int"])
    read_before(served, READERS[reader])
    offered = served.challenge()
    whole = reader == "stream unread" and "CONTENT_LENGTH" not in environ
    assert send(served, offered, b"a=1", FORM, opaque=True, **environ).status_code == (200 if whole else 401)
    headers = sent(offered, nc=2, method="POST", qop="auth-int", body=b"")
    given = {"CONTENT_LENGTH": "3", **environ, "wsgi.input": Opaque(b"a=1")}
    response = served.app.test_client().post("/", headers=headers, content_type=FORM, environ_overrides=given)
    assert response.status_code == 401
    assert len(served.ran) == whole


# F-37
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_request_without_a_body_needs_none(make_app, method):
    served = Served(make_app, qop=["auth", "auth-int"])
    read_before(served, READERS["form"])
    offered = served.challenge()
    headers = sent(offered, method=method, qop="auth-int")
    given = {"wsgi.input": Opaque(b""), "wsgi.input_terminated": True}
    assert (
        served.app.test_client().open("/", method=method, headers=headers, environ_overrides=given).status_code == 200
    )
    refused = served.app.test_client().open("/", method=method, environ_overrides=given)
    assert qops(refused) == {"auth, auth-int"}


@pytest.mark.parametrize("environ", [{}, OPAQUE, TERMINATED], ids=["plain", "declared", "chunked"])
def test_a_body_that_comes_in_small_pieces(make_app, environ):
    served = Served(make_app, qop=["auth-int"], view=lambda: request.get_data())
    response = send(served, served.challenge(), b"x" * 1000, "text/plain", opaque=True, size=7, **environ)
    assert (response.status_code, response.data) == (200, b"x" * 1000)


class Broken:
    def __init__(self, error):
        self.error = error

    def read(self, size=-1):
        raise self.error


class ServersOwn(Exception):
    """As cheroot's MaxSizeExceeded: of no type that Werkzeug knows."""


# F-37
@pytest.mark.parametrize(
    ("error", "environ"),
    [
        *((error, environ) for error in (OSError("no chunk size"), ValueError("bad chunk"), TimeoutError())
          for environ in (TERMINATED, OPAQUE, {})),
        (EOFError(), TERMINATED),
        (ServersOwn(), TERMINATED),
    ],
)  # fmt: skip
@pytest.mark.parametrize("limit", [None, 1000])
def test_a_body_that_cannot_be_read_is_400(make_app, error, environ, limit):
    served = Served(make_app, qop=["auth", "auth-int"], config={"MAX_CONTENT_LENGTH": limit})
    headers = sent(served.challenge(), method="POST", qop="auth-int", body=b"abc")
    given = {"CONTENT_LENGTH": "3", **environ, "wsgi.input": Broken(error)}
    response = served.app.test_client().post("/", headers=headers, environ_overrides=given)
    assert response.status_code == 400
    assert "could not be read" in response.get_data(as_text=True)
    assert not served.ran


# F-37
@pytest.mark.parametrize("environ", [{}, OPAQUE], ids=["Werkzeug's stream", "the server's"])
def test_a_body_that_ends_early_is_400(make_app, environ):
    served = Served(make_app, qop=["auth-int"])
    assert send(served, served.challenge(), b"a=1234", FORM, data=b"a=1", opaque=True, **environ).status_code == 400


# F-37: RFC 9110 §15.5.14
@pytest.mark.parametrize("environ", [{}, OPAQUE, TERMINATED], ids=["plain", "declared", "chunked"])
@pytest.mark.parametrize(("size", "status"), [(100, 200), (101, 413)])
@pytest.mark.parametrize("setting", ["max_body", "MAX_CONTENT_LENGTH"])
def test_a_body_beyond_either_limit_is_413(make_app, environ, size, status, setting):
    own = {"max_body": 100} if setting == "max_body" else {"config": {"MAX_CONTENT_LENGTH": 100}}
    served = Served(make_app, qop=["auth-int"], **own)
    assert send(served, served.challenge(), b"x" * size, "text/plain", opaque=True, **environ).status_code == status


# F-37
def test_an_upload_that_a_hook_reads_is_offered_auth_alone(make_app):
    """A client that prefers auth-int gets in at its second request."""
    served = Served(make_app, qop=["auth", "auth-int"])
    read_before(served, READERS["form"])
    assert qops(served.app.test_client().get("/")) == {"auth, auth-int"}
    refused = served.app.test_client().post("/", data={"a": "1"})
    assert qops(refused) == {"auth"}
    offered = challenge(refused.headers["WWW-Authenticate"])
    assert served.ask(offered, method="POST", data={"a": "1"}).status_code == 200


def test_another_reader_of_the_same_request_finds_the_body_too(make_app):
    from flask import Request

    served = Served(make_app, qop=["auth-int"], view=lambda: Request(request.environ.copy()).get_data())
    assert served.ask(method="POST", qop="auth-int", body=b"a=1", data=b"a=1").text == "a=1"


def test_a_body_that_the_answer_does_not_cover_may_have_any_length(make_app):
    served = Served(make_app, qop=["auth", "auth-int"], max_body=100, view=lambda: str(len(request.stream.read())))
    assert served.ask(method="POST", data=b"x" * 1000).text == "1000"
    assert served.ask(method="POST", qop="auth-int", body=b"x" * 1000, data=b"x" * 1000).status_code == 413


# --- Authentication-Info


def info(response):
    return challenge("Digest " + response.headers["Authentication-Info"])


@pytest.mark.rfc("D-33", "D-34", "D-35")
@pytest.mark.parametrize("qop", ["auth", "auth-int"])
def test_the_server_proves_itself(make_app, qop):
    served = Served(make_app, qop=["auth", "auth-int"], rspauth=True)
    offered = served.challenge()
    response = served.ask(offered, qop=qop, nc=7)
    got = info(response)
    assert (got["qop"], got["nc"], got["cnonce"]) == (qop, "00000007", "0a4f113b")
    a2 = ":/" + (":" + hex_hash("SHA-256", response.data) if qop == "auth-int" else "")
    a1 = hex_hash("SHA-256", f"ada:shop:{ADA}")
    assert got["rspauth"] == hex_hash(
        "SHA-256", f"{a1}:{offered['nonce']}:00000007:0a4f113b:{qop}:{hex_hash('SHA-256', a2)}"
    )
    assert "nextnonce" not in got


@pytest.mark.rfc("D-36", "D-37", "AI-01")
def test_quotes_in_authentication_info(make_app, monkeypatch):
    served = Served(make_app, rspauth=True, nextnonce=True, nonce_lifetime=60)
    offered = served.challenge()
    later = time.time() + 40
    monkeypatch.setattr(time, "time", lambda: later)
    response = served.ask(offered)
    parts = dict(part.split("=", 1) for part in response.headers["Authentication-Info"].split(", "))
    assert {name for name, value in parts.items() if value.startswith('"')} == {"nextnonce", "rspauth", "cnonce"}
    assert served.ask({**offered, "nonce": info(response)["nextnonce"]}).status_code == 200
    assert served.ask(offered, nc=2).status_code == 200  # the one before lives on


@pytest.mark.rfc("AI-02")
def test_nothing_is_proved_to_who_sent_nothing_or_was_refused(make_app):
    served = Served(make_app, rspauth=True, nextnonce=True)
    offered = served.challenge()
    assert served.ask(offered).headers.getlist("Authentication-Info") != []
    for response in (served.app.test_client().get("/"), served.ask(password="wrong"), served.ask(offered)):
        assert response.status_code == 401
        assert "Authentication-Info" not in response.headers
    assert "Authentication-Info" not in Served(make_app).ask().headers
    assert "Proxy-Authentication-Info" not in served.ask().headers


@pytest.mark.rfc("AI-02")
def test_nothing_is_proved_to_who_came_by_another_scheme(make_app):
    digest = Digest(lambda name: ADA, realm="shop", rspauth=True, nextnonce=True)
    auth = Auth(digest, Basic(lambda name, password: True, realm="shop"))
    app = make_app(auth, **KEY)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    answered = app.test_client().get("/", auth=("ada", ADA))
    assert (answered.status_code, answered.headers.get("Authentication-Info")) == (200, None)
    offered = challenge(app.test_client().get("/").headers.getlist("WWW-Authenticate")[0])
    assert "rspauth" in app.test_client().get("/", headers=sent(offered)).headers["Authentication-Info"]


@pytest.mark.rfc("AI-02")
def test_nothing_is_proved_with_a_403(make_app):
    served = Served(make_app, rspauth=True, nextnonce=True, loader=lambda name: (ADA, Identity(name)))
    served.app.add_url_rule("/admin", "admin", served.auth.login_required(roles={"admin"})(lambda: "in"))
    headers = sent(served.challenge(), uri="/admin")
    response = served.app.test_client().get("/admin", headers=headers)
    assert response.status_code == 403
    assert "Authentication-Info" not in response.headers


@pytest.mark.rfc("D-33")
def test_the_next_nonce_comes_when_the_one_in_use_is_half_over_and_where_it_was_asked_for(make_app, monkeypatch):
    begun = int(time.time())
    for nextnonce, after, comes in ((True, 30, False), (True, 31, True), (False, 31, False)):
        monkeypatch.setattr(time, "time", lambda: begun)
        served = Served(make_app, rspauth=True, nextnonce=nextnonce, nonce_lifetime=60)
        offered = served.challenge()
        monkeypatch.setattr(time, "time", lambda after=after: begun + after)
        assert ("nextnonce" in info(served.ask(offered))) is comes


def test_no_proof_over_a_body_that_is_streamed(make_app):
    served = Served(make_app, qop=["auth-int"], rspauth=True, view=lambda: (part for part in ("a", "b")))
    response = served.ask(qop="auth-int")
    assert response.text == "ab"
    assert "Authentication-Info" not in response.headers


def test_a_proof_that_covers_no_body_leaves_a_stream_alone(make_app):
    served = Served(make_app, rspauth=True, view=lambda: (part for part in ("a", "b")))
    offered = served.challenge()
    response = served.ask(offered)
    a1, a2 = hex_hash("SHA-256", f"ada:shop:{ADA}"), hex_hash("SHA-256", ":/")
    assert info(response)["rspauth"] == hex_hash("SHA-256", f"{a1}:{offered['nonce']}:00000001:0a4f113b:auth:{a2}")
    assert (response.text, response.headers.get("Content-Length")) == ("ab", None)


def test_the_proof_of_head_covers_no_body(make_app):
    served = Served(make_app, qop=["auth-int"], rspauth=True)
    offered = served.challenge()
    response = served.app.test_client().head("/", headers=sent(offered, method="HEAD", qop="auth-int"))
    a1, a2 = hex_hash("SHA-256", f"ada:shop:{ADA}"), hex_hash("SHA-256", f":/:{hex_hash('SHA-256', b'')}")
    assert info(response)["rspauth"] == hex_hash("SHA-256", f"{a1}:{offered['nonce']}:00000001:0a4f113b:auth-int:{a2}")
