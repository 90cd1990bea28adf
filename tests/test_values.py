"""Identities, requirements and errors as values."""

import dataclasses
import inspect
import math
import pickle
import re

import pytest
from werkzeug import exceptions as http

import flask_unauthorized as fu
from flask_unauthorized import Auth, AuthUnavailable, Bearer, ConfigurationError, Identity, any_of
from flask_unauthorized.errors import CrossSiteRequest
from flask_unauthorized.policy.requirement import Requirement, combine_decorators, emitted_scopes, inherit

# The decision table of the design: class, Werkzeug's class, status, OAuth error code.
TABLE = [
    (fu.Unauthorized, http.Unauthorized, 401, None),
    (fu.MissingCredentials, http.Unauthorized, 401, None),
    (fu.InvalidCredentials, http.Unauthorized, 401, "invalid_token"),
    (fu.ExpiredCredentials, http.Unauthorized, 401, "invalid_token"),
    (fu.RevokedCredentials, http.Unauthorized, 401, "invalid_token"),
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
    first, *_ = kind.__doc__.splitlines()
    assert first.startswith(f"{status}: ")
    assert first.endswith(".")
    assert len(first) < 80
    assert re.search(r"Source: RFC \d+ §\d", kind.__doc__)
    assert code is None or kind is fu.Unauthorized or f"``{code}``" in kind.__doc__
    for argument in list(inspect.signature(kind.__init__).parameters)[1:]:
        assert f"\n        {argument}: " in kind.__doc__


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


# --- identities


def _full() -> Identity:
    return Identity(
        "ada", scopes=["read"], roles=("boss",), acr="gold", auth_time=5, claims={"email": "ada@x"}, user=["secret"],
        client_id="app", expires_at=7.5, confirmation={"jkt": "x"},
    )  # fmt: skip


def test_an_identity_is_frozen_and_hides_what_may_be_private():
    identity = _full()
    assert (identity.scopes, identity.roles) == (frozenset({"read"}), frozenset({"boss"}))
    with pytest.raises(dataclasses.FrozenInstanceError):
        identity.subject = "eve"
    with pytest.raises(TypeError):
        identity.claims["email"] = "eve@x"
    assert "ada@x" not in repr(identity)
    assert "secret" not in repr(identity)
    assert hash(identity) == hash(_full())
    assert identity == _full()


def test_lek_01_an_identity_survives_pickling_and_replacing():
    unpickled = pickle.loads(pickle.dumps(_full()))
    assert unpickled == _full()
    assert dict(unpickled.claims) == {"email": "ada@x"}
    assert dataclasses.replace(unpickled, subject="bob").subject == "bob"


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": ""}, {"subject": 5}, {"scopes": "read"}, {"roles": b"boss"}, {"scopes": {5}}, {"acr": 5},
        {"auth_time": "now"}, {"expires_at": True}, {"expires_at": math.nan}, {"client_id": 5},
    ],
)  # fmt: skip
def test_what_cannot_be_an_identity_is_a_type_error(wrong):
    with pytest.raises(TypeError):
        Identity(**wrong)


# --- requirements


def test_any_of_is_a_value():
    assert any_of("a", "b", "a") == any_of("a", "b")
    assert any_of("a", "b") != any_of("b", "a")
    assert repr(any_of("a", "b")) == "any_of('a', 'b')"
    with pytest.raises(TypeError):
        any_of("a", 5)


def test_stacked_requirements_narrow_and_add():
    first = Requirement(via=("x", "y"), scopes=frozenset({("a",)}), acr=("gold", "tin"), max_age=60, optional=True)
    second = Requirement(via=("y", "z"), scopes=frozenset({("b", "c")}), acr=("tin",), max_age=30)
    both = combine_decorators([first, second])
    assert both == Requirement(("y",), frozenset({("a",), ("b", "c")}), frozenset(), ("tin",), 30, False)
    assert hash(both) == hash(combine_decorators([first, second]))
    assert emitted_scopes(both.scopes) == ("a", "b")
    with pytest.raises(ConfigurationError):
        combine_decorators([first, Requirement(via=("z",))])


def test_nested_requirements_take_the_nearest_via_and_add_the_rest():
    outer = Requirement(via=("x",), roles=frozenset({("boss",)}), max_age=30)
    inner = Requirement(via=("y",), roles=frozenset({("user",)}), max_age=60, optional=True)
    both = inherit([outer, inner])
    assert both == Requirement(("y",), frozenset(), frozenset({("boss",), ("user",)}), (), 30, True)
    assert inherit([outer, Requirement()]).via == ("x",)
    assert not inherit([inner, outer]).optional


def test_the_error_for_a_bare_string_of_scopes_names_the_set_that_was_meant() -> None:
    auth = Auth(Bearer(lambda token: None))
    with pytest.raises(TypeError, match=r'scopes=\{"read", "write"\}'):
        auth.login_required(scopes="read write")
    with pytest.raises(TypeError, match=r'roles=\{"admin"\}'):
        Identity("ada", roles="admin")


@pytest.mark.parametrize("method", ["login_required", "login_optional", "require"])
def test_an_unknown_keyword_names_the_nearest(method: str) -> None:
    auth = Auth(Bearer(lambda token: None))
    with pytest.raises(TypeError, match=rf"{method}\(\) has no keyword scope: did you mean scopes\?"):
        getattr(auth, method)(scope={"read"})
