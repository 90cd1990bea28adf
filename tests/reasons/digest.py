"""Digest: its parameters, its nonces, its bodies, and what the loader returns."""

import io
from typing import Any

from flask import request

from flask_unauthorized import Auth, AuthError, Digest
from tests.canaries import register
from tests.digest_client import challenge, credentials_for, field_value, sent

from . import Row
from .refusing import NOW, PASSWORD, app_of, clock, signaled

ORDER = "expected realm, nonce, uri, response, cnonce, nc and qop: legacy=True does without the last three"
NO_USER = "Digest: no user has the name: the loader, or name_of_hash=, returned None"
WRONG_PASSWORD = (
    "Digest: the response was not made with what the loader returned for the name: the password is wrong, a stored "
    "hash was returned as a str and not by its algorithm, or it is of another name, realm or password"
)


class Asked:
    """An app with Digest, and a client that was given a challenge."""

    def __init__(
        self, *, loader: Any = lambda name: {"ada": PASSWORD}.get(name), hook: Any = lambda: None, **options: Any
    ) -> None:
        self.digest = Digest(loader, **options)
        auth = Auth(self.digest)
        self.app = app_of(auth)
        self.app.before_request(hook)
        self.app.add_url_rule("/", "view", auth.login_required(lambda: "in"), methods=["GET", "POST"])
        self.app.add_url_rule("/<name>", "other", auth.login_required(lambda name: "in"))
        self.client = self.app.test_client()
        self.told = challenge(self.client.get("/").headers["WWW-Authenticate"])
        register(self.told["nonce"])

    def send(self, value: str, path: str = "/", **given: Any) -> AuthError:
        return signaled(self.app, lambda: self.client.open(path, headers={"Authorization": value}, **given))

    def answer(self, changed: Any = None, path: str = "/", **given: Any) -> AuthError:
        """The refusal of an answer in which ``changed`` is put after the arithmetic; ``None`` takes one out."""
        changed = changed or {}
        made = credentials_for(
            self.told, password=PASSWORD, **given, **{name: text for name, text in changed.items() if name != "nc"}
        )
        params = {**made, **changed}
        return self.send(field_value({name: text for name, text in params.items() if text is not None}), path)


def changed(parameters: dict[str, str | None], path: str = "/", **options: Any) -> Any:
    return lambda: Asked(**options).answer(parameters, path)


def twice_in_a_field() -> AuthError:
    asked = Asked()
    return asked.send(field_value(credentials_for(asked.told, password=PASSWORD)) + ', nonce="x"')


def used(second: int, *, first: int = 1, later: float = 0, **options: Any) -> Any:
    """The second answer to one challenge."""

    def run() -> AuthError:
        with clock(NOW):
            asked = Asked(**options)
            headers = sent(asked.told, password=PASSWORD, nc=first)
            assert asked.client.get("/", headers=headers).status_code == 200
        with clock(NOW + later):
            return asked.answer(nc=second)

    return run


def used_without_qop() -> AuthError:
    asked = Asked(legacy=True, algorithms=("MD5",))
    from tests.digest_client import hex_hash

    a1 = hex_hash("MD5", f"ada:shop:{PASSWORD}")
    response = hex_hash("MD5", f"{a1}:{asked.told['nonce']}:{hex_hash('MD5', 'GET:/')}")
    register(response)
    params = {"username": "ada", "realm": "shop", "nonce": asked.told["nonce"], "uri": "/", "response": response}
    assert asked.client.get("/", headers={"Authorization": field_value(params)}).status_code == 200
    return asked.send(field_value(params))


def with_body(hook: Any, make: Any) -> Any:
    """An answer that covers a body which can't be read whole."""

    def run() -> AuthError:
        asked = Asked(qop=("auth", "auth-int"), hook=hook)
        given = make()
        headers = sent(asked.told, password=PASSWORD, qop="auth-int", body=b"abc", method="POST")
        return asked.send(headers["Authorization"], method="POST", **given)

    return run


def read_and_forget() -> None:
    request.stream.read()


def input_of(stream: Any) -> dict[str, Any]:
    """A request with three bytes, by a server that ends ``stream`` itself, so that Werkzeug doesn't watch it."""
    return {"environ_overrides": {"wsgi.input": stream, "wsgi.input_terminated": True, "CONTENT_LENGTH": "3"}}


class Broken(io.RawIOBase):
    """An input that a server can't read."""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        raise OSError("the client has gone")


def named_as_sent() -> AuthError:
    r"""A name with a backslash, which some clients don't escape: ``DOMAIN\user``."""
    asked = Asked(loader=lambda name: {"DOMAIN\\user": PASSWORD}.get(name))
    return asked.answer({"username": "DOMAIN\\user", "response": "0" * 64})


def from_the_future() -> AuthError:
    with clock(NOW + 100):
        asked = Asked()
    with clock(NOW):
        return asked.answer()


ROWS = [
    *(
        Row(f"no {name}", changed({name: None}), status, f"Digest: {name} is absent, {ORDER}")
        for name, status in (("realm", 401), ("nonce", 400), ("uri", 401), ("response", 401), ("cnonce", 401),
                             ("nc", 401), ("qop", 401))
    ),
    *(
        Row(f"an empty {name}", changed({name: ""}), status, f"Digest: {name} is empty, expected a value")
        for name, status in (("realm", 401), ("nonce", 400), ("uri", 401), ("response", 401), ("cnonce", 401))
    ),
    Row(
        "qop", changed({"qop": "auth-int"}), 401, "Digest: qop is 'auth-int', expected one of ['auth']: see qop=",
    ),
    Row(
        "nc", changed({"nc": "1"}), 401, "Digest: nc has 1 characters, expected eight hex digits (RFC 7616 section 3.4)"
    ),
    Row(
        "cnonce", changed({"cnonce": "a\tb"}), 401,
        "Digest: cnonce holds a character outside printable ASCII, expected printable ASCII only",
    ),
    Row(
        "uri", changed({"uri": "/other?token=s3cret-token-of-ada"}), 400,
        "Digest: uri is not the target of this request: its path is '/other', expected the target '/' as it came",
    ),
    Row(
        "uri with another query", changed({"uri": "http://localhost/?token=s3cret-token-of-ada"}), 400,
        "Digest: uri is not the target of this request: its host or query differs, expected the target '/' as it came",
    ),
    Row("userhash", changed({"userhash": "maybe"}), 401, "Digest: userhash has 5 characters, expected true or false"),
    Row(
        "no username", changed({"username": None}), 401,
        "Digest: neither username nor username* came, expected one of them",
    ),
    Row(
        "two usernames", changed({"username*": "UTF-8''ada"}), 401,
        "Digest: both username and username* came, expected one of them",
    ),
    Row(
        "username* with userhash", changed({"username": None, "username*": "UTF-8''ada", "userhash": "true"}), 401,
        "Digest: username* came with userhash=true, expected username for a hash (RFC 7616 section 3.4.4)",
    ),
    Row(
        "username* that is none", changed({"username": None, "username*": "x"}), 401,
        "Digest: username* is not UTF-8''NAME, expected a percent-encoded name (RFC 8187 section 3.2)",
    ),
    Row(
        "an empty username", changed({"username": ""}), 401,
        "Digest: the name has 0 bytes, expected 1 to 1024 bytes of printable text",
    ),
    Row(
        "a long username", changed({"username": "x" * 1025}), 401,
        "Digest: the name has 1025 bytes, expected 1 to 1024 bytes of printable text",
    ),
    Row(
        "a username with a tab", changed({"username": "a\tb"}), 401,
        "Digest: the name holds a control character, expected 1 to 1024 bytes of printable text",
    ),
    Row(
        "algorithm", changed({"algorithm": "MD5"}), 401,
        "Digest: algorithm is 'MD5', expected one of ['SHA-256']: see algorithms=",
    ),
    Row(
        "no algorithm", changed({"algorithm": None}), 401,
        "Digest: algorithm is absent, which means 'MD5', expected one of ['SHA-256']: see algorithms=",
    ),
    Row(
        "-sess without qop",
        changed({"qop": None, "nc": None, "cnonce": None}, legacy=True, algorithms=("SHA-256-sess",)), 401,
        "Digest: qop is absent, and algorithm SHA-256-sess needs it, expected qop=auth (RFC 7616 section 3.4)",
    ),
    Row(
        "the longest field", lambda: Asked().send(f'Digest username="{"x" * 4085}"'), 400,
        f"Digest: realm is absent, {ORDER}",
    ),
    Row(
        "a long field", lambda: Asked().send(f'Digest username="{"x" * 4086}"'), 400,
        "Digest: the credentials have 4097 bytes, expected at most 4096",
    ),
    Row(
        "a parameter twice", twice_in_a_field, 400,
        "Digest: the parameters break the grammar: a parameter occurs twice (RFC 9110 section 11.2) at byte 259",
    ),
    # F-49
    Row(
        "realm", changed({"realm": "old"}), 401,
        "Digest: realm is 'old', and the realm in force is 'shop' (realm= of the scheme, of Auth, or "
        "UNAUTHORIZED_REALM)",
    ),
    Row(
        "a nonce of another app", changed({"nonce": "x.y.z"}), 401,
        "Digest: the nonce was not signed by this app for the realm 'shop', or SECRET_KEY changed: keep the old key in "
        "SECRET_KEY_FALLBACKS",
    ),
    Row("an unknown name", changed({"username": "eve"}), 401, NO_USER),
    Row("a pair without a user", lambda: Asked(loader=lambda name: (PASSWORD, None)).answer(), 401, NO_USER),
    Row("a wrong password", changed({"response": "0" * 64}), 401, WRONG_PASSWORD),
    Row("a wrong password, of one of two names", named_as_sent, 401, WRONG_PASSWORD),
    Row(
        "an empty stored password", lambda: Asked(loader=lambda name: "").answer(), 401,
        "Digest: the loader returned an empty password for the name, expected one that isn't empty",
    ),
    Row(
        "no stored hash", lambda: Asked(loader=lambda name: {"MD5": "0" * 32}).answer(), 401,
        "Digest: the loader returned 1 hashes and none for SHA-256, which algorithms= offers: store one (see hashes())",
    ),
    Row(
        "a nonce that has expired", used(2, later=62, nonce_lifetime=60), 401,
        "Digest: the nonce has expired: it is 62 s old, and nonce_lifetime=60",
    ),
    Row(
        "a nonce of the future", from_the_future, 401,
        "Digest: the nonce has expired: it is -100 s old, and workers' clocks may differ by 60 s",
    ),
    Row(
        "a count that was used", used(1), 401,
        "Digest: nc 1 was used before with this nonce, or lies too far behind: each answer counts once",
    ),
    Row(
        "a response without qop that was used", used_without_qop, 401,
        "Digest: the response, which has no qop, was used before with this nonce, or lies too far behind: each answer "
        "counts once",
    ),
    Row(
        "nonce_uses=", used(2, nonce_uses=1), 401, "Digest: this is use 2 of the nonce, and nonce_uses=1",
    ),
    Row(
        "a body that a hook read", with_body(read_and_forget, lambda: {"data": b"abc"}), 401,
        "Digest: the body was read before qop=auth-int could be verified: a before_request function must call "
        "request.get_data()",
    ),
    Row(
        "a body that ends early", with_body(lambda: None, lambda: input_of(io.BytesIO(b"ab"))), 400,
        "Digest: the body has 2 bytes, and Content-Length is 3: qop=auth-int covers the whole",
    ),
    Row(
        "a body that can't be read",
        with_body(lambda: None, lambda: input_of(Broken())), 400,
        "Digest: reading the body raised OSError, and qop=auth-int covers the whole",
    ),
]  # fmt: skip
