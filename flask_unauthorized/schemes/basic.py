"""Basic: user name and password (RFC 7617).

The credentials are Base64 of ``name:password``. If one credential had two spellings, a client could avoid what other
programs key by the field, such as a rate limit. So `Basic.read` accepts one spelling only:

1. Canonical Base64 (RFC 4648 §3.5), with padding and without other characters.
2. UTF-8. With ``latin1=True``, octets that aren't UTF-8 are read as Latin-1 (RFC 7617 appendix B.2).
3. A colon between name and password, and no control characters (RFC 7617 §2).
4. Unicode in the form NFC (RFC 7617 §2.1 with RFC 8265), so that two keyboards give the same password.

A comma is malformed: a server has joined two ``Authorization`` lines, and the extension can't know which one counts.
Everything else that breaks these rules is an invalid credential (401), so that the client asks its user again.

Name and password have limits of their own, because the loader hashes each password.
"""

import base64
import binascii
import functools
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar

from flask import Request

from ..arguments import explains_arguments, validated_flag
from ..errors import AuthError, ConfigurationError, InvalidCredentials, MalformedCredentials
from ..wire import Challenge
from ..wire.fetch_metadata import is_script
from ..wire.grammar import is_token
from ..wire.rules import SPELLINGS
from .base import Loader, Scheme, Secret, call_loader
from .origins import validated_origins

if TYPE_CHECKING:
    from ..throttle.throttle import Throttle

MAX_USER = 1024
"""Longest user name, in bytes."""
MAX_PASSWORD = 4096
"""Longest password, in bytes."""
_CONTROLS = bytes((*range(0x20), 0x7F))


class Basic(Scheme[Secret]):
    """Authenticate by user name and password (RFC 7617).

    The loader gets both as ``str``, in the form NFC. It may return ``True`` for the named user, or what any loader may
    return. Names may have up to 1 024 bytes and passwords up to 4 096, whatever ``UNAUTHORIZED_MAX_CREDENTIALS`` is.

    Browsers repeat a password by themselves. So unsafe requests from another site are refused with 403, unless their
    origin is in ``trusted_origins``. A script of another origin that sends ``Authorization: Basic`` on purpose looks
    the same: name its origin there too, beside the settings of your CORS extension.

    Example:
        Accept the users of a dict::

            from werkzeug.security import generate_password_hash
            from flask_unauthorized import Auth, Basic
            from flask_unauthorized.loaders import Passwords

            hashes = {"ada": generate_password_hash("correct horse battery")}
            auth = Auth(Basic(Passwords(hashes), realm="notes"), app=app)

    Args:
        loader: Gets name and password, returns the caller.
        realm: The scheme's own realm. Default: that of the app.
        latin1: Read octets that aren't UTF-8 as Latin-1 (RFC 7617 appendix B.2).
        empty_password: Let the loader see empty passwords. Otherwise they are refused. Set it if callers send a token
            as the name and no password (``curl -u TOKEN:``).
        script_alias: Another name for the scheme, such as ``"XBasic"``, which is offered to scripts of a browser. No
            password box opens for it, and credentials under it are accepted like Basic. It is for apps that have no
            other scheme; beside another scheme, scripts aren't offered Basic.
        trusted_origins: Origins of other sites that may send unsafe requests.
        throttle: Limits on failed attempts: see `flask_unauthorized.throttle`.

    Raises:
        ConfigurationError: If ``script_alias`` is the name of another scheme, or a value isn't an origin.
        TypeError: If a value has the wrong type.
    """

    name = "Basic"
    prompts = True
    credential_kind = "password"
    needs_loader = True
    cacheable_challenges = True
    specification: ClassVar[Mapping[str, tuple[str, str]]] = {
        "invalid_token": ("RFC 7617 §2, the Basic scheme", "https://www.rfc-editor.org/rfc/rfc7617#section-2")
    }
    curl_options = ("-u", "NAME:PASSWORD")
    loader_args = 2
    names_subject = True
    _credential = "the name and the password"

    @explains_arguments(scheme='did you mean script_alias? script_alias="Form" also takes that name of the scheme')
    def __init__(
        self,
        loader: Loader | None = None,
        *,
        realm: str | None = None,
        latin1: bool = False,
        empty_password: bool = False,
        script_alias: str | None = None,
        trusted_origins: Iterable[str] = (),
        throttle: "Throttle | None" = None,
    ) -> None:
        super().__init__(loader, realm=realm, throttle=throttle)
        self.trusted_origins = validated_origins(trusted_origins)
        self.script_alias = script_alias
        if script_alias is not None:
            if not isinstance(script_alias, str) or not is_token(script_alias) or script_alias.lower() in SPELLINGS:
                raise ConfigurationError(
                    f"script_alias={script_alias!a} must be a name that no other scheme has, such as 'XBasic'"
                )
            self.reads = (*self.reads, ("authorization", script_alias.lower()))
            self.static = False
            self.depends_on_script = True
        self.latin1 = validated_flag("latin1", latin1)
        self.empty_password = validated_flag("empty_password", empty_password)

    def read(self, request: Request, rest: str | None) -> Secret | None:
        if rest is None:
            return None
        if "," in rest:
            # A server joined two Authorization lines (RFC 9110 §5.3).
            raise MalformedCredentials(
                reason="Basic: the credentials hold a comma, expected Base64 alone: a client or a server joined two "
                "fields"
            )
        secret = Secret()
        secret.arguments = self._split(_decode(rest))
        return secret

    def _split(self, octets: bytes) -> tuple[str, str]:
        try:
            text = octets.decode("utf-8")
        except UnicodeDecodeError:
            if not self.latin1:
                raise InvalidCredentials(
                    reason="Basic: name and password are not UTF-8, expected UTF-8: latin1=True also takes Latin-1"
                ) from None
            text = octets.decode("latin-1")
        name, colon, password = text.partition(":")
        if not colon:
            raise InvalidCredentials(
                reason="Basic: no colon is in the decoded credentials, expected name:password (RFC 7617 section 2)"
            )
        if octets.translate(None, _CONTROLS) != octets:
            raise InvalidCredentials(
                reason="Basic: the name or the password holds a control character, expected none (RFC 7617 section 2)"
            )
        if len(name.encode()) > MAX_USER or len(password.encode()) > MAX_PASSWORD:
            raise InvalidCredentials(
                reason=f"Basic: the name has {len(name.encode())} bytes and the password {len(password.encode())}, "
                f"expected at most {MAX_USER} and {MAX_PASSWORD}"
            )
        if not password and not self.empty_password:
            raise InvalidCredentials(
                reason="Basic: the password is empty, expected one: empty_password=True lets the loader decide"
            )
        return unicodedata.normalize("NFC", name), unicodedata.normalize("NFC", password)

    verify = call_loader

    def subject(self, credentials: Secret) -> str | None:
        return credentials.arguments[0] or None

    def challenges(self, realm: str, error: AuthError | None, request: Request) -> tuple[Challenge, ...]:
        alias = self.script_alias
        return _challenges(self.name if alias is None or not is_script(request.environ) else alias, realm)


@functools.lru_cache(maxsize=64)
def _challenges(name: str, realm: str) -> tuple[Challenge, ...]:
    return (Challenge(name, (("realm", realm), ("charset", "UTF-8"))),)


def _decode(value: str) -> bytes:
    """Return the octets of canonical Base64 (RFC 4648 §3.3, §3.5).

    Other text is a 401, which RFC 9110 §15.5.2 allows for any invalid credentials, so that a client gets the challenge
    and can try again. The 400 of RFC 6750 §3.1 is for Bearer, and RFC 7617 names none.
    """
    try:
        # Not by the module base64, whose functions cost more than the decoding. This one skips characters that aren't
        # Base64, so that the comparison finds them.
        octets = binascii.a2b_base64(value)
        if binascii.b2a_base64(octets, newline=False).decode("ascii") == value:
            return octets
        base64.b64decode(value, validate=True)
    except ValueError:
        raise InvalidCredentials(
            reason="Basic: the credentials are not Base64, expected the Base64 of name:password (RFC 7617 section 2)"
        ) from None
    raise InvalidCredentials(
        reason="Basic: the credentials are not canonical Base64, expected unused bits to be zero (RFC 4648)"
    )
