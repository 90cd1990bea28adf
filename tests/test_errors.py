"""The errors: their status, their code, and what they can say."""

import inspect
import math
import re

import pytest
from werkzeug import exceptions as http

import flask_unauthorized as fu
from flask_unauthorized import Auth, AuthUnavailable, Bearer, TooManyAttempts, errors
from flask_unauthorized.errors import CrossSiteRequest

GOOD = {"Authorization": "Bearer good"}


@pytest.mark.rfc("ST-01")
def test_too_many_attempts_say_when_to_come_back(make_app):
    def load(token):
        raise TooManyAttempts(retry_after=30.2)

    auth = Auth(Bearer(load))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    response = app.test_client().get("/", headers=GOOD)
    assert response.status_code == 429
    assert response.headers["Retry-After"] == "31"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.json["message"]
    assert "WWW-Authenticate" not in response.headers


@pytest.mark.rfc("ST-03", "H-07")
def test_no_error_of_ours_has_a_status_of_proxies_or_networks():
    codes = {getattr(kind, "code", None) for kind in vars(errors).values()}
    assert codes - {None} == {400, 401, 403, 429, 503}


# The decision table of the design: class, Werkzeug's class, status, OAuth error code.
TABLE = [
    (fu.Unauthorized, http.Unauthorized, 401, None),
    (fu.MissingCredentials, http.Unauthorized, 401, None),
    (fu.InvalidCredentials, http.Unauthorized, 401, "invalid_token"),
    (fu.ExpiredCredentials, http.Unauthorized, 401, "invalid_token"),
    (fu.RevokedCredentials, http.Unauthorized, 401, "invalid_token"),
    (fu.SessionStolen, http.Unauthorized, 401, "invalid_token"),
    (fu.InvalidProof, http.Unauthorized, 401, "invalid_dpop_proof"),
    (fu.NonceRequired, http.Unauthorized, 401, "use_dpop_nonce"),
    (fu.StepUpRequired, http.Unauthorized, 401, "insufficient_user_authentication"),
    (fu.MalformedCredentials, http.BadRequest, 400, "invalid_request"),
    (fu.Forbidden, http.Forbidden, 403, None),
    (CrossSiteRequest, http.Forbidden, 403, None),
    (fu.InsufficientScope, http.Forbidden, 403, "insufficient_scope"),
    (fu.TooManyAttempts, http.TooManyRequests, 429, None),
    (fu.AuthUnavailable, http.ServiceUnavailable, 503, None),
]


@pytest.mark.rfc("B-10", "B-12", "B-21")
@pytest.mark.parametrize(("kind", "base", "status", "code"), TABLE)
def test_the_decision_table(kind, base, status, code):
    error = kind("Said to the client.", reason="kept private")
    assert isinstance(error, base)
    assert isinstance(error, fu.AuthError)
    assert (error.code, error.error, error.message) == (status, code, "Said to the client.")
    assert kind().message
    headers = dict(error.get_headers())
    assert headers["Cache-Control"] == "no-store"
    assert "private" not in f"{headers}{error}{error.args}{error.get_body()}"
    # The handler of an app for Werkzeug's class must come before ours (design, "last base").
    assert kind.__mro__.index(base) < kind.__mro__.index(fu.AuthError)
    with pytest.raises(TypeError):
        kind(b"bytes")


@pytest.mark.parametrize(("kind", "base", "status", "code"), TABLE)
def test_the_docstring_of_an_error_is_a_row_of_the_reference(kind, base, status, code):
    """The reference table is made of them: status and occasion first, then all arguments, then the specification."""
    text = inspect.getdoc(kind)  # Python 3.13 removes the indentation by itself
    first, *_ = text.splitlines()
    assert first.startswith(f"{status}: ")
    assert first.endswith(".")
    assert len(first) < 80
    assert re.search(r"Source: RFC \d+ §\d", text)
    assert code is None or kind is fu.Unauthorized or f"``{code}``" in text
    for argument in list(inspect.signature(kind.__init__).parameters)[1:]:
        assert f"\n    {argument}: " in text


@pytest.mark.parametrize(
    ("given", "sent"),
    [(0, "0"), (1.2, "2"), (-5, "0"), (10**9, "86400"), (math.inf, "86400"), (None, "5")],
)
def test_hdr_20_retry_after_is_whole_seconds_of_a_day_at_most(given, sent):
    assert dict(AuthUnavailable(retry_after=given).get_headers())["Retry-After"] == sent


@pytest.mark.parametrize("wrong", [True, "5", math.nan])
def test_retry_after_is_a_number(wrong):
    with pytest.raises(TypeError):
        AuthUnavailable(retry_after=wrong)


@pytest.mark.parametrize("wrong", [{"scopes": ["a b"]}, {"scopes": ['a"']}, {"scopes": [5]}])
def test_scopes_of_an_error_can_be_sent(wrong):
    with pytest.raises((TypeError, ValueError)):
        fu.InsufficientScope(**wrong)


@pytest.mark.parametrize("wrong", [{"max_age": -1}, {"max_age": 1.5}, {"max_age": True}, {"acr_values": ["a b"]}])
def test_details_of_a_step_up_can_be_sent(wrong):
    with pytest.raises((TypeError, ValueError)):
        fu.StepUpRequired(**wrong)


def test_scopes_may_be_a_text_as_tokens_have_it():
    for scopes in ("write read", ["write", "read"], {"read", "write"}):
        assert fu.InsufficientScope(scopes=scopes).scopes == ("read", "write")
