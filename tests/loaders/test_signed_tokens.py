"""SignedTokens."""

import hashlib
import time
from unittest import mock

import itsdangerous
import pytest

from flask_unauthorized import Auth, Bearer, ConfigurationError, ExpiredCredentials, Identity, InvalidCredentials
from flask_unauthorized.loaders import SignedTokens

# --- SignedTokens

SECRET = "app-key-0123456789"


@pytest.fixture
def app(make_app):
    return make_app(SECRET_KEY=SECRET)


def issued_ago(tokens, seconds, who="ada"):
    with mock.patch("time.time", return_value=time.time() - seconds):
        return tokens.issue(who)


def test_signed_token_carries_subject_scopes_and_roles(app):
    tokens = SignedTokens("login", 3600)
    with app.app_context():
        identity = tokens(tokens.issue(Identity("ada", scopes={"b", "a"}, roles={"admin"})))
    assert (identity.subject, identity.scopes, identity.roles) == ("ada", {"a", "b"}, {"admin"})


@pytest.mark.rfc("B-02", "B-12", "B-23")
@pytest.mark.parametrize(("age", "status"), [(0, 200), (3700, 401)])
def test_signed_token_travels_as_bearer(make_app, age, status):
    tokens = SignedTokens("login", 3600)
    auth = Auth(Bearer(tokens))
    app = make_app(auth, SECRET_KEY=SECRET)
    app.add_url_rule("/", view_func=auth.login_required(lambda: auth.identity.subject))
    with app.app_context():
        token = issued_ago(tokens, age, "J\u00e4s\u00f8n")
    response = app.test_client().get("/", headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == status
    if status == 200:
        assert response.text == "J\u00e4s\u00f8n"
    else:
        assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


@pytest.mark.rfc("B-23")
@pytest.mark.parametrize(("age", "good"), [(0, True), (50, True), (70, False), (86_400 * 400, False)])
def test_signed_token_expires(app, age, good):
    tokens = SignedTokens("login", 60)
    with app.app_context():
        token = issued_ago(tokens, age)
        if good:
            assert tokens(token).subject == "ada"
        else:
            with pytest.raises(ExpiredCredentials):
                tokens(token)


@pytest.mark.rfc("B-23")
def test_identity_of_a_signed_token_ends_when_the_token_does(app):
    tokens = SignedTokens("login", 60)
    with app.app_context():
        identity = tokens(issued_ago(tokens, 30))
    assert abs(identity.expires_at - (time.time() + 30)) <= 2


def test_token_from_the_future_is_refused(app):
    tokens = SignedTokens("login", 60)
    with app.app_context():
        token = issued_ago(tokens, -1000)
        with pytest.raises(InvalidCredentials):
            tokens(token)


@pytest.mark.rfc("B-22")
def test_one_changed_character_anywhere_is_refused(app):
    tokens = SignedTokens("login", 60)
    with app.app_context():
        token = tokens.issue(Identity("ada", scopes={"read"}))
        for position, old in enumerate(token):
            new = "A" if old != "A" else "B"
            changed = f"{token[:position]}{new}{token[position + 1 :]}"
            if position == len(token) - 1:  # the last character has spare bits: change the ones that count
                changed = token[:-1] + ("A" if old not in "ABCD" else "z")
            with pytest.raises(InvalidCredentials):
                tokens(changed)


@pytest.mark.parametrize(
    "token", ["", ".", "..", "...", "a.b.c", "." * 5000, "\u00e9.b.c", "\ud800", "eyJhbGciOiJub25lIn0.e30.", "bnVsbA"]
)
def test_garbage_is_refused_not_500_LIM_02(app, token):
    with app.app_context(), pytest.raises(InvalidCredentials):
        SignedTokens("login", 60)(token)


def test_token_of_another_purpose_is_refused_API_10(app):
    login, reset = SignedTokens("login", 3600), SignedTokens("reset", 3600)
    with app.app_context():
        assert reset(reset.issue("ada")).subject == "ada"
        with pytest.raises(InvalidCredentials):
            login(reset.issue("ada"))


@pytest.mark.parametrize("salt", ["login", "itsdangerous", "cookie-session"])
def test_what_the_app_signs_elsewhere_opens_nothing_API_10(app, salt):
    signers = ({}, {"digest_method": hashlib.sha256}, {"digest_method": hashlib.sha256, "key_derivation": "hmac"})
    with app.app_context():
        for signer in signers:
            maker = itsdangerous.URLSafeTimedSerializer(SECRET, salt=salt, signer_kwargs=signer)
            for content in (["ada", [], []], {"_user_id": "1"}, "ada"):
                with pytest.raises(InvalidCredentials):
                    SignedTokens("login", 3600)(maker.dumps(content))


def test_rotation_old_keys_verify_and_the_newest_signs(make_app):
    tokens = SignedTokens("login", 3600)
    before = make_app(SECRET_KEY="old-key")
    during = make_app(SECRET_KEY="new-key", SECRET_KEY_FALLBACKS=["old-key", "older-key"])
    after = make_app(SECRET_KEY="new-key")
    with before.app_context():
        old = tokens.issue("ada")
    with during.app_context():
        assert tokens(old).subject == "ada"
        new = tokens.issue("ada")
    with after.app_context():
        assert tokens(new).subject == "ada"
        with pytest.raises(InvalidCredentials):
            tokens(old)
    with before.app_context(), pytest.raises(InvalidCredentials):
        tokens(new)


def test_own_secret_key_is_apart_from_the_apps(app):
    own, apps = SignedTokens("login", 60, secret_key=b"own-key"), SignedTokens("login", 60)
    with app.app_context():
        assert own(own.issue("ada")).subject == "ada"
        for maker, reader in ((own, apps), (apps, own)):
            with pytest.raises(InvalidCredentials):
                reader(maker.issue("ada"))


def test_user_who_was_deleted_since_is_refused_LDR_12(make_app):
    users = {"ada": Identity("ada", roles={"admin"})}
    tokens = SignedTokens("login", 3600, load=users.get)
    auth = Auth(Bearer(tokens))
    app = make_app(auth, SECRET_KEY=SECRET)
    app.add_url_rule("/", view_func=auth.login_required(roles={"admin"})(lambda: "in"))
    with app.app_context():
        headers = {"Authorization": f"Bearer {tokens.issue('ada')}"}
    assert app.test_client().get("/", headers=headers).status_code == 200
    del users["ada"]
    assert app.test_client().get("/", headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("salt", "lifetime", "key", "error"),
    [("", 60, "k", ConfigurationError), (b"x", 60, "k", ConfigurationError), ("login", 60, "", ConfigurationError),
     ("login", 0, "k", ConfigurationError), ("login", -1, "k", ConfigurationError), ("login", 1.5, "k", TypeError),
     ("login", True, "k", TypeError), ("login", "60", "k", TypeError)],
)  # fmt: skip
def test_signed_tokens_that_cannot_work_are_refused_at_set_up(salt, lifetime, key, error):
    with pytest.raises(error):
        SignedTokens(salt, lifetime, secret_key=key)


@pytest.mark.parametrize("who", [None, "", 7, Identity(scopes={"a"}), {"sub": "ada"}])
def test_token_is_issued_to_somebody(app, who):
    with app.app_context(), pytest.raises(TypeError):
        SignedTokens("login", 60).issue(who)


def test_missing_secret_key_is_found_before_the_first_request(make_app):
    auth = Auth(Bearer(SignedTokens("login", 60)))
    with pytest.raises(ConfigurationError, match="SECRET_KEY"):
        auth.check(make_app(auth))


# --- Passwords


@pytest.mark.parametrize("fallbacks", [[""], "oldsecret", b"old", [None], ["fine", ""]])
def test_no_empty_or_one_letter_key_signs_tokens(make_app, fallbacks):
    auth = Auth(Bearer(SignedTokens("login", 60)))
    app = make_app(auth, SECRET_KEY="x" * 32, SECRET_KEY_FALLBACKS=fallbacks)
    with pytest.raises(ConfigurationError, match="SECRET_KEY_FALLBACKS"):
        auth.check(app)


@pytest.mark.parametrize("who", ["ada", Identity("ada", scopes={f"scope-{number}" for number in range(99)})])
@pytest.mark.parametrize("seconds", [0, 10**9, -(10**9)], ids=["now", "1990s", "2050s"])
def test_signed_tokens_recognize_what_they_issue(app, who, seconds):
    """Also a token with many scopes, which itsdangerous compresses and marks by a dot."""
    tokens = SignedTokens("login", 60)
    with app.app_context():
        token = issued_ago(tokens, seconds, who)
    assert token.startswith(".") is (who != "ada")
    assert tokens.recognizes(token)
    assert SignedTokens("another purpose", 60).recognizes(token)  # only the key can tell


JWT_HS256 = (  # RFC 7515 appendix A.1: its signature is as long as that of a signed token
    "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxl"
    "LmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
)
OTHERS = ["", "x", "a.b", f"a.Zm9v.{'s' * 42}", f"a.Zm9v.{'s' * 44}", f".Zm9v.{'s' * 43}", f"a..{'s' * 43}", JWT_HS256,
          f"a.Zm9v.{'s' * 43}\n", f"\u00fc.Zm9v.{'s' * 43}", "Zm9v" * 9]  # fmt: skip


@pytest.mark.parametrize("token", OTHERS)
def test_signed_tokens_do_not_recognize_other_tokens(token):
    assert not SignedTokens("login", 60).recognizes(token)
