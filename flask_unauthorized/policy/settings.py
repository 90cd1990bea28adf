"""The ``UNAUTHORIZED_*`` keys of ``app.config``, read once, before the first request."""

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple

from ..errors import ConfigurationError
from ..schemes.base import MIN_CREDENTIAL_LIMIT, validated_realm
from ..wire.grammar import DEFAULT_CREDENTIAL_LIMIT, MAX_CREDENTIAL_LIMIT
from ..wire.rules import check_uri

_PREFIX = "UNAUTHORIZED_"
_GUARDS = ("repair", "strict", "off")
_LOG_SUBJECTS = ("hash", "text")


class Settings(NamedTuple):
    """What the app configured.

    ``realm``: the realm of schemes without their own. ``guard``: ``"repair"``, ``"strict"`` or ``"off"``.
    ``explain``: the reasons of refusals in HTML pages, ``None`` for "in debug". ``require_https``: refuse plain HTTP.
    ``problem_base``: an absolute URI to which the error code is appended for the ``type`` of problem details.
    ``max_credentials``: the longest credential that is read, in bytes: an ``Authorization`` field, an API key, a token.
    ``one_line``: all challenges of a response on one line, for adapters and proxies that pass on only one of several.
    ``log_subjects``: ``"hash"`` or ``"text"``, how the log names subjects; `events` reads it from the app's settings.
    """

    realm: str | None = None
    guard: str = "repair"
    explain: bool | None = None
    require_https: bool = False
    problem_base: str | None = None
    max_credentials: int = DEFAULT_CREDENTIAL_LIMIT
    one_line: bool = False
    log_subjects: str = "hash"


def read_settings(config: Mapping[str, Any]) -> Settings:
    """Return the settings in ``config``. Raise `ConfigurationError` for an unknown key or an impossible value."""
    given = {key: config[key] for key in config if isinstance(key, str) and key.startswith(_PREFIX)}
    known = {_PREFIX + name.upper(): name for name in Settings._fields}
    for key in given:
        if key not in known:
            # The prefix, which all of them share, must not make every name look near.
            near = get_close_matches(key.removeprefix(_PREFIX), [name.removeprefix(_PREFIX) for name in known], n=1)
            hint = f"did you mean {_PREFIX}{near[0]}? All" if near else "the settings are"
            raise ConfigurationError(f"{key} is not a setting: {hint}{':' if near else ''} {', '.join(known)}")
    settings = Settings(**{known[key]: value for key, value in given.items() if value is not None})
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    if settings.realm is not None:
        if not isinstance(settings.realm, str):
            raise ConfigurationError(f"UNAUTHORIZED_REALM must be a str, not {settings.realm!r}")
        validated_realm(settings.realm)
    _check_word("UNAUTHORIZED_GUARD", settings.guard, _GUARDS)
    _check_word("UNAUTHORIZED_LOG_SUBJECTS", settings.log_subjects, _LOG_SUBJECTS)
    for name in ("explain", "require_https", "one_line"):
        value = getattr(settings, name)
        if not isinstance(value, bool | None):
            raise ConfigurationError(f"UNAUTHORIZED_{name.upper()}={value!r}: use True or False")
    size = settings.max_credentials
    if isinstance(size, bool) or not isinstance(size, int) or not MIN_CREDENTIAL_LIMIT <= size <= MAX_CREDENTIAL_LIMIT:
        raise ConfigurationError(
            f"UNAUTHORIZED_MAX_CREDENTIALS={size!r}: use a number of bytes from {MIN_CREDENTIAL_LIMIT} to "
            f"{MAX_CREDENTIAL_LIMIT}; the default is {DEFAULT_CREDENTIAL_LIMIT}"
        )
    if settings.problem_base is not None:
        if not isinstance(settings.problem_base, str):
            raise ConfigurationError(f"UNAUTHORIZED_PROBLEM_BASE must be a str, not {settings.problem_base!r}")
        try:
            check_uri("UNAUTHORIZED_PROBLEM_BASE", settings.problem_base)
        except ValueError as error:
            raise ConfigurationError(f"{error}: write https://example.com/errors/") from None


def _check_word(key: str, value: object, words: tuple[str, ...]) -> None:
    if value not in words:
        raise ConfigurationError(f"{key}={value!r}: use one of {', '.join(words)}")
