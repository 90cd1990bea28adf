"""Authlib's resource protector: errors raised with a code of the instance, and challenges of its own."""

import time

from authlib.integrations.flask_oauth2 import ResourceProtector, current_token
from authlib.oauth2.rfc6750 import BearerTokenValidator
from flask import Flask, jsonify

from flask_unauthorized import Auth, Bearer, Identity

from .harness import Ask, Guarded, Neighbour, bearer


class Token:
    def __init__(self, subject, scope, lifetime=3600, revoked=False):
        self.subject, self.scope, self.revoked = subject, scope, revoked
        self.expires_at = time.time() + lifetime

    def get_scope(self):
        return self.scope

    def is_expired(self):
        return self.expires_at < time.time()

    def is_revoked(self):
        return self.revoked


TOKENS = {
    "ada": Token("ada", "read write"),
    "bob": Token("bob", "read"),
    "old": Token("ada", "read", lifetime=-1),
    "gone": Token("ada", "read", revoked=True),
}


class Tokens(BearerTokenValidator):
    def authenticate_token(self, token_string):
        return TOKENS.get(token_string)


def _build(app: Flask) -> None:
    for prefix, realm in (("", None), ("/realm", "shop")):
        protector = ResourceProtector()
        protector.register_token_validator(Tokens(realm))
        app.add_url_rule(f"{prefix}/notes", f"notes{prefix[1:]}", protector("read")(_notes))
        app.add_url_rule(f"{prefix}/write", f"write{prefix[1:]}", protector("write")(_notes))
        app.add_url_rule(f"{prefix}/optional", f"optional{prefix[1:]}", protector(optional=True)(lambda: "open"))

    @app.get("/acquired")
    def acquired():
        with protector.acquire("read") as token:
            return jsonify(owner=token.subject)


def _notes():
    return jsonify(owner=current_token.subject)


def together(app):
    protector, validator = ResourceProtector(), Tokens("shop")
    protector.register_token_validator(validator)

    def load_token(text):  # its tokens, found by its validator, for our decorators
        token = validator.authenticate_token(text)
        if token is None or token.is_revoked():
            return None
        return Identity(token.subject, scopes=token.get_scope().split(), expires_at=token.expires_at, user=token)

    auth = Auth(Bearer(load_token))
    auth.init_app(app)

    @app.get("/old")
    @protector("read")  # not moved yet
    def old():
        return jsonify(owner=current_token.subject)

    @app.get("/notes")
    @auth.login_required
    async def notes():  # which its protector can't
        return {"owner": auth.user.subject}

    @app.get("/write")
    @auth.login_required(scopes={"write"})
    def write():
        return "written"

    return auth


# As it came, but for the scheme's name, which some clients compare with case (Authlib writes "bearer" here).
_MISSING = """error="missing_authorization", error_description="Missing 'Authorization' in headers.\""""

NEIGHBOURS = (
    Neighbour(
        name="Authlib's `ResourceProtector`",
        package="authlib",
        build=_build,
        asks=(
            Ask("a good token", "/notes", 200, headers=bearer("ada")),
            Ask("nothing sent", "/notes", 401, (f"Bearer {_MISSING}",)),
            Ask("nothing sent, with a realm", "/realm/notes", 401, (f'Bearer realm="shop", {_MISSING}',)),
            Ask("nothing sent, `acquire`", "/acquired", 401, (f'Bearer realm="shop", {_MISSING}',)),
            Ask("nothing sent, optional", "/optional", 200),
            Ask("an unknown token", "/notes", 401, headers=bearer("eve")),
            Ask("an unknown token, optional", "/optional", 401, headers=bearer("eve")),
            Ask("an expired token", "/realm/notes", 401, headers=bearer("old")),
            Ask("a revoked token", "/realm/notes", 401, headers=bearer("gone")),
            Ask(
                "another scheme",
                "/realm/notes",
                401,
                ('Bearer realm="shop", error="unsupported_token_type"',),
                {"Authorization": "Basic YWRhOng="},
            ),
            Ask("a scope that is missing", "/write", 403, headers=bearer("bob")),
        ),
        together=together,
        guarded=(Guarded("/notes"), Guarded("/write", "scopes")),
        advice="A loader asks Authlib's validator. The extension's decorators then send no error to a caller "
        "without credentials, name the missing scope in a challenge, and accept `async` views. In "
        "Authlib's own challenges, the scheme is spelled as it is registered, and an empty "
        "`error_description` is removed.",
    ),
)
