"""Messages about a scheme that can't be set up: the name, the value, and what to write instead."""

from types import SimpleNamespace

import pytest

from flask_unauthorized import Auth, ConfigurationError, Digest, DPoP, Identity, SessionCookie
from flask_unauthorized.schemes.session.lifecycle import new_login
from tests.digest_client import ADA
from tests.dpop_client import ORIGIN

from .digest_served import KEY, Served

PROOFS = "ES256, ES384, ES512, Ed25519, EdDSA, PS256, PS384, PS512, RS256, RS384, RS512"
WHO = "an Identity with a subject, a subject or a user with get_id()"
HASHES = "SHA-512-256, SHA-512-256-sess, SHA-256, SHA-256-sess, MD5, MD5-sess"


def message_of(error, make):
    with pytest.raises(error) as caught:
        make()
    return str(caught.value)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"algorithms": "SHA-256"}, TypeError, "algorithms='SHA-256' is a bare string: write (\"SHA-256\",)"),
        ({"algorithms": []}, ConfigurationError, f"algorithms is empty: choose from {HASHES}"),
        ({"algorithms": ["sha"]}, ConfigurationError, f"algorithms has 'sha' unknown or twice: choose from {HASHES}"),
        ({"qop": "auth"}, TypeError, "qop='auth' is a bare string: write (\"auth\",)"),
        ({"qop": []}, ConfigurationError, "qop is empty: choose from auth, auth-int"),
        ({"qop": ["auth", "auth"]}, ConfigurationError, "qop has 'auth' unknown or twice: choose from auth, auth-int"),
        ({"domain": "/"}, TypeError, "domain='/' is a bare string: write (\"/\",)"),
        *(({"domain": ["/", uri]}, ConfigurationError,
           f"domain has {uri!a}: write URIs without blanks and quotes (RFC 7616 §3.3)")
          for uri in ("", "/ b", '/"', 1)),
        ({"nonce_lifetime": 4}, ConfigurationError, "nonce_lifetime must be 5 to 2147483648 seconds, not 4"),  # F-39
        ({"nonce_uses": 0}, ConfigurationError, "nonce_uses must be 1 or more, or None for any number, not 0"),
        ({"nonce_uses": True}, TypeError, "nonce_uses must be an int or None, not True"),
        ({"nonce_uses": 1.0}, TypeError, "nonce_uses must be an int or None, not 1.0"),
        ({"legacy": 1}, TypeError, "legacy must be True or False, not 1"),
        ({"legacy": True, "qop": ["auth-int"]}, ConfigurationError,
         "legacy=True with qop=('auth-int',): credentials without qop don't cover the body. "
         "Give qop=('auth', 'auth-int')"),
        ({"store": {}}, TypeError, "store must be a Store, not {}: see flask_unauthorized.stores"),
    ],
)  # fmt: skip
def test_of_digest(options, error, text):
    assert message_of(error, lambda: Digest({}.get, **options)) == text


def test_of_digest_in_its_app(make_app):
    served = Served(make_app, realm='a"b')
    text = "realm='a\"b': for Digest it must not hold a quote or a backslash"
    assert message_of(ConfigurationError, lambda: served.auth.check(served.app)) == text
    text = "hashes() needs the realm: Digest(realm=...), or hashes(..., realm=...)"
    assert message_of(ConfigurationError, lambda: Digest({}.get).hashes("ada", ADA)) == text


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        (42, "the loader of Digest returned a int as the secret: return the password, the stored hashes by algorithm "
             "({'SHA-256': …}), a pair of one of these and the user, or None"),
        ({"SHA-256": "x"}, "the hash for SHA-256 that the loader of Digest returned is not one: see Digest.hashes()"),
        ({"SHA-256": 1}, "the hash for SHA-256 that the loader of Digest returned is not one: see Digest.hashes()"),
    ],
)  # fmt: skip
def test_of_what_the_loader_of_digest_returned(make_app, secret, text):
    assert message_of(TypeError, Served(make_app, loader=lambda name: secret).ask) == text


NO_ORIGIN = (
    "is not an origin: write https://api.example.com, add the path if clients see one in front of the app's own, and "
    "leave out the query"
)


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"algorithms": "ES256"}, TypeError, "algorithms='ES256' is a bare string: write (\"ES256\",)"),
        ({"algorithms": []}, ConfigurationError, f"algorithms is empty: choose from {PROOFS}"),
        ({"algorithms": ["x"]}, ConfigurationError, f"algorithms has 'x' unknown or twice: choose from {PROOFS}"),
        ({"origin": []}, ConfigurationError, 'origin is empty: write origin="https://api.example.com"'),
        ({"origin": 1.5}, TypeError, None),
        ({"origin": [1]}, TypeError, "origin must be a str or a collection of str, not 1"),
        ({"origin": "ftp://a"}, ConfigurationError, f"origin='ftp://a' {NO_ORIGIN}"),
        ({"origin": "https://a?x"}, ConfigurationError, f"origin='https://a?x' {NO_ORIGIN}"),
        ({"origin": "http://a"}, ConfigurationError,
         "origin='http://a' is plain http: write https, because DPoP is used together with HTTPS (RFC 9449 §2)"),
        ({"window": 3601}, ConfigurationError, "window must be 0 to 3600 seconds, not 3601"),
        ({"ahead": 3601}, ConfigurationError, "ahead must be 0 to 3600 seconds, not 3601"),
        ({"ahead": -1}, ConfigurationError, "ahead must be 0 to 3600 seconds, not -1"),
        ({"nonce": "yes"}, TypeError, "nonce must be True or False, not 'yes'"),
        ({"nonce_lifetime": 0}, ConfigurationError, "nonce_lifetime must be 1 to 2147483648 seconds, not 0"),
        ({"store": {}}, TypeError, "store must be a Store, not {}: see flask_unauthorized.stores"),
        ({"certificate": 5}, ConfigurationError, "certificate must be a function of the request, not 5"),
    ],
)  # fmt: skip
def test_of_dpop(options, error, text):
    got = message_of(error, lambda: DPoP({}.get, **{"origin": ORIGIN, **options}))
    assert text is None or got == text


def test_the_longest_window_and_what_holds_where_none_is_given():
    dpop = DPoP({}.get, origin=ORIGIN)
    assert (dpop.window, dpop.ahead, dpop.nonce_lifetime, dpop.nonce) == (60, 10, 300, False)
    assert DPoP({}.get, origin=ORIGIN, window=3600, ahead=3600, nonce_lifetime=1).window == 3600


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"lifetime": 0}, ConfigurationError, "lifetime must be 1 to 2147483648 seconds, not 0"),
        ({"idle": 0}, ConfigurationError, "idle must be 1 to 2147483648 seconds, not 0"),
        ({"idle": -1}, ConfigurationError, "idle must be 1 to 2147483648 seconds, not -1"),
        ({"store": {}}, TypeError, "store must be a Store, not {}: see flask_unauthorized.stores"),
        ({"trusted_origins": "https://a"}, TypeError,
         "trusted_origins='https://a' is a bare string: write {\"https://a\"}"),
        ({"trusted_origins": [1]}, TypeError, "trusted_origins must hold str, not int"),
        ({"trusted_origins": None}, TypeError,
         "trusted_origins=None names no origin: leave it out, or write {\"https://pages.example\"}"),
        ({"trusted_origins": ["https://a/"]}, ConfigurationError,
         "trusted_origins has 'https://a/', which is not an origin: write https://host or https://host:port, the host "
         "in ASCII"),
    ],
)  # fmt: skip
def test_of_sessions(options, error, text):
    assert message_of(error, lambda: SessionCookie(lambda subject: subject, **options)) == text


HTTPS = {"SESSION_COOKIE_SECURE": True}


@pytest.mark.parametrize(
    ("options", "config", "text"),
    [
        ({}, {"SESSION_COOKIE_HTTPONLY": False},
         "SESSION_COOKIE_HTTPONLY is False: any script in a page could take the session"),
        ({}, {"SESSION_COOKIE_SAMESITE": "None"},
         "SESSION_COOKIE_SAMESITE='None' needs SESSION_COOKIE_SECURE: browsers drop it otherwise"),
        ({}, {"SESSION_COOKIE_NAME": "__Host-s"},
         "SESSION_COOKIE_NAME='__Host-s' needs SESSION_COOKIE_SECURE: browsers drop it otherwise"),
        ({}, {"SESSION_COOKIE_NAME": "__Secure-s"},
         "SESSION_COOKIE_NAME='__Secure-s' needs SESSION_COOKIE_SECURE: browsers drop it otherwise"),
        *(({}, {"SESSION_COOKIE_NAME": "__Host-s", **HTTPS, **odd},
           "SESSION_COOKIE_NAME='__Host-s' allows no domain, and no path but /")
          for odd in ({"SESSION_COOKIE_DOMAIN": "a.example"}, {"SESSION_COOKIE_PATH": "/x"},
                      {"APPLICATION_ROOT": "/x"})),
        ({"login_view": "nowhere"}, {},
         "login_view='nowhere' is not an endpoint of the app 'APP': write the name of the view's function, with the "
         "blueprint's before it, or an absolute URL"),
        ({"logout_view": "nowhere"}, {},
         "logout_view='nowhere' is not an endpoint of the app 'APP': write the name of the view's function, with the "
         "blueprint's before it"),
        ({"login_view": "of_user"}, {},
         "login_view='of_user' has an address with user, which only @app.url_defaults could fill in: name a view whose "
         "address has no variable"),
        ({"login_view": "guarded"}, {},
         "login_view='guarded' demands a login itself, so that no user could log in: mark it @auth.public"),
    ],
)  # fmt: skip
def test_of_sessions_in_their_app(make_app, options, config, text):
    auth = Auth(SessionCookie(lambda subject: subject, **options))
    app = make_app(auth, **KEY, **config)
    app.add_url_rule("/<user>", "of_user", lambda user: user)
    app.add_url_rule("/in", "guarded", auth.login_required(lambda: "in"))
    assert message_of(ConfigurationError, lambda: auth.check(app)) == text.replace("APP", app.name)


@pytest.mark.parametrize("config", [{"SESSION_COOKIE_PATH": "/"}, {"SESSION_COOKIE_DOMAIN": None}, {}])
def test_a_host_cookie_that_may_be(make_app, config):
    auth = Auth(SessionCookie(lambda subject: subject))
    auth.check(make_app(auth, **KEY, **HTTPS, SESSION_COOKIE_NAME="__Host-s", **config))


SECURE = (
    "SESSION_COOKIE_SECURE is False: the session goes over plain HTTP too, where attackers can copy it: set it to "
    "True, and serve HTTPS"
)
SAME_SITE = "SESSION_COOKIE_SAMESITE is not set, and browsers differ: set it to 'Lax'"
SHORT = "SECRET_KEY is short or well-known, so anyone can guess it and log in: use secrets.token_hex()"


@pytest.mark.parametrize(
    ("config", "warnings"),
    [
        ({}, [SECURE, SAME_SITE]),
        ({"SESSION_COOKIE_SECURE": True}, [SAME_SITE]),
        ({"SESSION_COOKIE_SAMESITE": "Lax"}, [SECURE]),
        ({"SECRET_KEY": "x" * 15}, [SHORT, SECURE, SAME_SITE]),
        ({"SECRET_KEY": "x" * 16}, [SECURE, SAME_SITE]),
        ({"TESTING": True, "SECRET_KEY": "dev"}, []),
        ({"DEBUG": True}, []),
    ],
)
def test_what_the_log_warns_of(make_app, caplog, config, warnings):
    auth = Auth(SessionCookie(lambda subject: subject))
    app = make_app(auth, **{"TESTING": False, **KEY, **config})
    caplog.clear()
    auth.check(app)
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert [text for text in told if "SECRET_KEY" in text or "SESSION_COOKIE" in text] == warnings


@pytest.mark.parametrize(
    ("do", "error", "text"),
    [
        (lambda sessions: sessions.subject_of(5), TypeError,
         f"login() takes {WHO}, not int: subjects are texts, so write str(user.id)"),
        (lambda sessions: sessions.subject_of(True), TypeError,
         f"login() takes {WHO}, not bool: "
         "SessionCookie(subject=lambda user: str(user.id)) says what names your users"),
        (lambda sessions: sessions.subject_of("", "end_sessions()"), TypeError,
         f"end_sessions() takes {WHO}, not an empty str: pass the subject that your loader gets"),
        (lambda sessions: sessions.subject_of(Identity(None, user=object()), "sessions()"), TypeError,
         f"sessions() takes {WHO}, not an Identity without one: write Identity(str(user.id), user=user)"),
        (lambda sessions: sessions.subject_of(SimpleNamespace(is_anonymous=True), "sessions()"), TypeError,
         f"sessions() takes {WHO}, not an anonymous caller: pass the user whom you looked up, "
         "or guard the view with @auth.login_required and pass auth.identity"),
        (lambda sessions: sessions.end_all("ada"), ConfigurationError,
         "end_sessions() needs a store: SessionCookie(load, store=SQLiteStore(path))"),
        (lambda sessions: new_login(sessions, "ada", 5, None), TypeError, "acr must be a str, not int"),
        (lambda sessions: new_login(sessions, "ada", None, True), TypeError,
         "auth_time must be a number of seconds since 1970, not True"),
        (lambda sessions: new_login(sessions, "ada", None, float("nan")), TypeError,
         "auth_time must be a number of seconds since 1970, not nan"),
    ],
)  # fmt: skip
def test_of_logins(do, error, text):
    assert message_of(error, lambda: do(SessionCookie(lambda subject: subject))) == text
