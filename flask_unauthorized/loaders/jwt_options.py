"""Checks of what a developer gives to `JWT`, when it is made. A mistake is a `ConfigurationError` with its fix."""

import logging
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, Final

from ..arguments import validated_whole_seconds
from ..errors import ConfigurationError
from ..jose import Key, Keys, StaticKeys
from ..jose.algorithms import HMAC, validated_algorithms
from .claims import validated_names
from .jwt_profiles import PROFILES

MAX_LEEWAY: Final = 3600
"""Longest leeway, in seconds."""
LONG_LEEWAY: Final = 300
"""Leeway above which the log warns, in seconds: RFC 9068 §4 speaks of a few minutes."""

_ONE_PROFILE: Final = " or ".join((", ".join(map(repr, list(PROFILES)[:-1])), repr(list(PROFILES)[-1])))

log: Final = logging.getLogger("flask_unauthorized")


def validated_issuer(issuer: str | None, profile: str) -> str | None:
    """Return the issuer, if it is a text without white space around it, or ``None`` where the profile allows that."""
    if profile not in PROFILES:
        raise ConfigurationError(f"profile={profile!a}: choose {_ONE_PROFILE}")
    if issuer is None and PROFILES[profile].allows_missing_iss:
        return None
    if not isinstance(issuer, str) or not issuer.strip() or issuer != issuer.strip():
        raise ConfigurationError(
            f"issuer must be the exact text of the tokens' iss, not {issuer!a}. Tokens of your own must name it, too: "
            "Flask-JWT-Extended writes it with JWT_ENCODE_ISSUER, and aud with JWT_ENCODE_AUDIENCE. "
            "JWT(None, profile='jwt-extended', ...) takes its tokens without iss"
        )
    return issuer


def algorithms_of_one_family(algorithms: Collection[str]) -> frozenset[str]:
    """Return the algorithms as a set, if they are known, and either all HMAC or none."""
    chosen = validated_algorithms(algorithms)
    symmetric = chosen.intersection(HMAC)
    if symmetric and symmetric != chosen:
        raise ConfigurationError(
            "algorithms mixes shared secrets (HS…) with public keys: an issuer signs in one way, so name that one"
        )
    return chosen


def keys_of(issuer: str | None, keys: Any, algorithms: frozenset[str], proxy: str | None) -> Keys:
    """Return the `Keys` that the developer gave in one of several forms, or those that the issuer publishes."""
    if keys is None:
        if algorithms.intersection(HMAC):
            raise ConfigurationError("HS… needs a secret, which an issuer doesn't publish: give keys=hmac_key(…)")
        if issuer is None:
            raise ConfigurationError("issuer=None publishes no keys: give keys=, the ones of Flask-JWT-Extended")
        return _published_keys(issuer, proxy)
    if proxy is not None:
        raise ConfigurationError("JWT has proxy= and keys=, which are not fetched by it: write JWKS(…, proxy=…)")
    if hasattr(keys, "candidates"):
        found: Keys = keys
    else:
        if isinstance(keys, (str, bytes, Mapping)):
            raise ConfigurationError(
                "keys must be made by public_key_pem(), public_key_jwk(), read_key_set() or hmac_key(): "
                f"a {type(keys).__name__} isn't guessed at"
            )
        found = StaticKeys((keys,) if isinstance(keys, Key) else keys)
    if getattr(found, "issuer", None) not in (None, issuer):
        raise ConfigurationError(f"the keys are those of another issuer than {issuer!a}")
    if isinstance(found, StaticKeys) and not any(key.algorithms & algorithms for key in found):
        raise ConfigurationError(
            f"none of the keys serves one of algorithms={tuple(sorted(algorithms))}: name those that the issuer uses"
        )
    return found


def _published_keys(issuer: str, proxy: str | None) -> Keys:
    from .jwks import JWKS  # imported here, so that apps that give their keys load no HTTP client

    if not issuer.lower().startswith("https://"):
        raise ConfigurationError(
            f"issuer {issuer!a} must begin with https://, for its keys are fetched from there. For a demo on localhost "
            "give keys=JWKS.of_issuer(issuer, allow_http_loopback=True); for http:// in a network of your own give "
            "JWKS a fetch= or Introspection a post=: your callable decides about the URL"
        )
    return JWKS.of_issuer(issuer, proxy=proxy)


def validated_audiences(audience: str | Collection[str] | None, *, limited: bool) -> frozenset[str] | None:
    """Return the audiences as a set. ``None`` takes any; the log warns unless something else limits the tokens."""
    if audience is None:
        if not limited:
            log.warning("JWT with audience=None: a token that the issuer made for any other service opens this one")
        return None
    return validated_names("audience", audience)


def validated_leeway(leeway: int | timedelta) -> int:
    """Return the leeway in seconds; the log warns of a long one."""
    length = validated_whole_seconds("leeway", leeway, most=MAX_LEEWAY)
    if length > LONG_LEEWAY:
        log.warning("JWT with leeway=%d: tokens live that many seconds longer than their issuer says", length)
    return length
