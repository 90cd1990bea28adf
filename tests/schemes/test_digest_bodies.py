"""Digest: bodies under ``auth-int``, and ``Authentication-Info``."""

import time

import pytest

from flask_unauthorized import ConfigurationError, Identity
from tests.digest_client import ADA, challenge, h, sent

from .digest_served import Served, stale

# --- bodies


@pytest.mark.rfc("D-26")
def test_dig_15_a_body_that_was_changed(make_app):
    served = Served(make_app, qop=["auth", "auth-int"])
    told = served.told()
    assert told["qop"] == "auth, auth-int"
    assert served.ask(told, method="POST", qop="auth-int", body=b"pay 1", data=b"pay 1").status_code == 200
    assert not stale(served.ask(told, nc=2, method="POST", qop="auth-int", body=b"pay 1", data=b"pay 1000"))
    assert served.ask(told, nc=2, method="POST", qop="auth", data=b"any").status_code == 200
    assert served.ask(told, nc=3, qop="auth-int").status_code == 200


@pytest.mark.parametrize("way", ["get_data", "stream", "form", "json"])
def test_the_view_can_still_read_a_hashed_body_in_any_way(make_app, way):
    from flask import request

    ways = {
        "get_data": lambda: request.get_data(),
        "stream": lambda: request.stream.read(),
        "form": lambda: request.form["a"],
        "json": lambda: str(request.get_json(force=True)["a"]),
    }
    served = Served(make_app, qop=["auth-int"], view=ways[way])
    body, expected = {"form": (b"a=1", "1"), "json": (b'{"a": 1}', "1")}.get(way, (b"a=1", "a=1"))
    headers = sent(served.told(), method="POST", qop="auth-int", body=body)
    kind = "application/x-www-form-urlencoded" if way == "form" else "text/plain"
    assert served.app.test_client().post("/", data=body, headers=headers, content_type=kind).text == expected


@pytest.mark.parametrize("declared", [True, False])
def test_a_body_beyond_the_limit_is_413(make_app, declared):
    served = Served(make_app, qop=["auth-int"], max_body=100)
    for size, status in ((100, 200), (101, 413)):
        body = b"x" * size
        headers = sent(served.told(), method="POST", qop="auth-int", body=body)
        extra = {} if declared else {"CONTENT_LENGTH": "", "wsgi.input_terminated": True}
        response = served.app.test_client().post("/", data=body, headers=headers, environ_overrides=extra)
        assert response.status_code == status


def test_a_body_that_a_hook_read_before(make_app):
    from flask import request

    served = Served(make_app, qop=["auth-int"])
    served.app.before_request(lambda: [None for _ in [request.get_data()]].pop())
    answered = served.ask(method="POST", qop="auth-int", body=b"a=1", data=b"a=1")
    assert answered.status_code == 200
    served = Served(make_app, qop=["auth-int"])
    served.app.before_request(lambda: [None for _ in [request.form]].pop())
    headers = sent(served.told(), method="POST", qop="auth-int", body=b"a=1")
    with pytest.raises(ConfigurationError, match=r"request\.form was read before"):
        served.app.test_client().post("/", data={"a": "1"}, headers=headers)


def test_another_reader_of_the_same_request_finds_the_body_too(make_app):
    from flask import Request, request

    served = Served(make_app, qop=["auth-int"], view=lambda: Request(request.environ.copy()).get_data())
    assert served.ask(method="POST", qop="auth-int", body=b"a=1", data=b"a=1").text == "a=1"


def test_a_body_that_the_answer_does_not_cover_may_have_any_length(make_app):
    from flask import request

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
    told = served.told()
    response = served.ask(told, qop=qop, nc=7)
    got = info(response)
    assert (got["qop"], got["nc"], got["cnonce"]) == (qop, "00000007", "0a4f113b")
    a2 = ":/" + (":" + h("SHA-256", response.data) if qop == "auth-int" else "")
    a1 = h("SHA-256", f"ada:shop:{ADA}")
    assert got["rspauth"] == h("SHA-256", f"{a1}:{told['nonce']}:00000007:0a4f113b:{qop}:{h('SHA-256', a2)}")
    assert "nextnonce" not in got


@pytest.mark.rfc("D-36", "AI-01")
def test_quotes_in_authentication_info(make_app, monkeypatch):
    served = Served(make_app, rspauth=True, nextnonce=True, nonce_lifetime=60)
    told = served.told()
    later = time.time() + 40
    monkeypatch.setattr(time, "time", lambda: later)
    response = served.ask(told)
    parts = dict(part.split("=", 1) for part in response.headers["Authentication-Info"].split(", "))
    assert {name for name, value in parts.items() if value.startswith('"')} == {"nextnonce", "rspauth", "cnonce"}
    assert served.ask({**told, "nonce": info(response)["nextnonce"]}).status_code == 200
    assert served.ask(told, nc=2).status_code == 200  # the one before lives on


@pytest.mark.rfc("AI-02")
def test_nothing_is_proved_to_who_sent_nothing_or_was_refused(make_app):
    served = Served(make_app, rspauth=True, nextnonce=True)
    told = served.told()
    assert served.ask(told).headers.getlist("Authentication-Info") != []
    for response in (served.app.test_client().get("/"), served.ask(password="wrong"), served.ask(told)):
        assert response.status_code == 401
        assert "Authentication-Info" not in response.headers
    assert "Authentication-Info" not in Served(make_app).ask().headers


@pytest.mark.rfc("AI-02")
def test_nothing_is_proved_with_a_403(make_app):
    served = Served(make_app, rspauth=True, nextnonce=True, loader=lambda name: (ADA, Identity(name)))
    served.app.add_url_rule("/admin", "admin", served.auth.login_required(roles={"admin"})(lambda: "in"))
    headers = sent(served.told(), uri="/admin")
    response = served.app.test_client().get("/admin", headers=headers)
    assert response.status_code == 403
    assert "Authentication-Info" not in response.headers


@pytest.mark.rfc("D-36")
def test_the_next_nonce_comes_when_the_one_in_use_is_half_over_and_where_it_was_asked_for(make_app, monkeypatch):
    begun = int(time.time())
    for nextnonce, after, comes in ((True, 30, False), (True, 31, True), (False, 31, False)):
        monkeypatch.setattr(time, "time", lambda: begun)
        served = Served(make_app, rspauth=True, nextnonce=nextnonce, nonce_lifetime=60)
        told = served.told()
        monkeypatch.setattr(time, "time", lambda after=after: begun + after)
        assert ("nextnonce" in info(served.ask(told))) is comes


def test_no_proof_over_a_body_that_is_streamed(make_app):
    served = Served(make_app, qop=["auth-int"], rspauth=True, view=lambda: (part for part in ("a", "b")))
    response = served.ask(qop="auth-int")
    assert response.text == "ab"
    assert "Authentication-Info" not in response.headers


def test_a_proof_that_covers_no_body_leaves_a_stream_alone(make_app):
    served = Served(make_app, rspauth=True, view=lambda: (part for part in ("a", "b")))
    told = served.told()
    response = served.ask(told)
    a1, a2 = h("SHA-256", f"ada:shop:{ADA}"), h("SHA-256", ":/")
    assert info(response)["rspauth"] == h("SHA-256", f"{a1}:{told['nonce']}:00000001:0a4f113b:auth:{a2}")
    assert (response.text, response.headers.get("Content-Length")) == ("ab", None)


def test_the_proof_of_head_covers_no_body(make_app):
    served = Served(make_app, qop=["auth-int"], rspauth=True)
    told = served.told()
    response = served.app.test_client().head("/", headers=sent(told, method="HEAD", qop="auth-int"))
    a1, a2 = h("SHA-256", f"ada:shop:{ADA}"), h("SHA-256", f":/:{h('SHA-256', b'')}")
    assert info(response)["rspauth"] == h("SHA-256", f"{a1}:{told['nonce']}:00000001:0a4f113b:auth-int:{a2}")
