"""Checks of what a developer gives to `JWT`, when it is made. A mistake is a `ConfigurationError` with its fix."""

from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Any, Final

from ..arguments import validated_whole_seconds
from ..errors import ConfigurationError
from ..jose import Key, Keys, StaticKeys
from ..jose.algorithms import HMAC, validated_algorithms
from ..jose.key_selection import LongKeys
from ..jose.key_strength import MIN_RSA
from ..logs import log
from .claims import validated_names
from .jwt_profiles import PROFILES

DEFAULT_LEEWAY: Final = 60
"""Default of ``leeway``, in seconds."""
MAX_LEEWAY: Final = 3600
"""Highest value of ``leeway`` and of ``ahead``, in seconds."""
LONG_LEEWAY: Final = 300
"""Value of ``leeway`` and ``ahead`` above which the log warns, in seconds: RFC 9068 §4 speaks of a few minutes."""

_VALIDITY: Final = "FAPI 2.0 Security Profile §5.3.4"
_ONE_PROFILE: Final = " or ".join((", ".join(map(repr, list(PROFILES)[:-1])), repr(list(PROFILES)[-1])))


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


def algorithms_in_force(algorithms: Collection[str] | None, profile: str, default: Collection[str]) -> frozenset[str]:
    """Return the algorithms as a set, if they are known, either all HMAC or none, and such as the profile allows."""
    limits = PROFILES[profile].limits
    if algorithms is None:
        return frozenset(default if limits is None else limits.algorithms)
    chosen = validated_algorithms(algorithms)
    if limits is not None and not chosen <= frozenset(limits.algorithms):
        raise ConfigurationError(
            f"algorithms names {', '.join(sorted(chosen.difference(limits.algorithms)))}, and profile={profile!r} "
            f"allows {', '.join(limits.algorithms)} only ({limits.standard} {limits.algorithms_source}): leave "
            "algorithms= out, or name some of these"
        )
    symmetric = chosen.intersection(HMAC)
    if symmetric and symmetric != chosen:
        raise ConfigurationError(
            "algorithms mixes shared secrets (HS…) with public keys: an issuer signs in one way, so name that one"
        )
    return chosen


def long_keys_of(
    issuer: str | None, keys: Any, algorithms: frozenset[str], proxy: str | None, min_rsa_bits: int
) -> Keys:
    """Return the `Keys` in force: see `_keys_of`. RSA keys below ``min_rsa_bits`` don't count.

    A short key that the developer gave is a `ConfigurationError`. Keys that may change are looked at when they are
    used. All keys have `MIN_RSA` bits at least, so that minimum costs nothing.
    """
    found = _keys_of(issuer, keys, algorithms, proxy)
    if min_rsa_bits == MIN_RSA:
        return found
    if not isinstance(found, StaticKeys):
        return LongKeys(found, min_rsa_bits)
    for key in found:
        if key.is_shorter_than(min_rsa_bits):
            raise ConfigurationError(
                f"{key!r} has {key.material.key_size} bits, and min_rsa_bits={min_rsa_bits}: leave that key out, or "
                "lower min_rsa_bits="
            )
    return found


def _keys_of(issuer: str | None, keys: Any, algorithms: frozenset[str], proxy: str | None) -> Keys:
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
            "give keys=JWKS.of_issuer(issuer, allow_http_loopback=True), with JWKS of flask_unauthorized.loaders.jwks; "
            "for http:// in a network of your own give JWKS a fetch= or Introspection a post=: your callable decides "
            "about the URL"
        )
    return JWKS.of_issuer(issuer, proxy=proxy)


def validated_audiences(audience: str | Collection[str] | None, *, limited: bool) -> frozenset[str] | None:
    """Return the audiences as a set. ``None`` takes any; the log warns unless something else limits the tokens."""
    if audience is None:
        if not limited:
            log.warning("JWT with audience=None: a token that the issuer made for any other service opens this one")
        return None
    return validated_names("audience", audience)


def check_limits(profile: str, audience: str | Collection[str] | None, allow_eternal: bool) -> None:
    """Refuse arguments that contradict a profile with limits, except those that have a range."""
    limits = PROFILES[profile].limits
    if limits is None:
        return
    if audience is None:
        raise ConfigurationError(
            f"audience=None contradicts profile={profile!r}: a token for another API would open this one ({_VALIDITY}):"
            ' write audience="https://api.example.com", the aud of tokens for this app'
        )
    if allow_eternal:
        raise ConfigurationError(
            f"allow_eternal=True contradicts profile={profile!r}: expiration must be verified ({_VALIDITY}): leave it "
            "out"
        )


def clock_limits(leeway: int | timedelta | None, ahead: int | timedelta | None, profile: str) -> tuple[int, int]:
    """Return ``leeway`` and ``ahead`` in seconds, or their defaults; the log warns of long ones."""
    limits = PROFILES[profile].limits
    default = DEFAULT_LEEWAY if limits is None else limits.leeway
    late = default if leeway is None else validated_whole_seconds("leeway", leeway, most=MAX_LEEWAY)
    default = late if limits is None else limits.ahead
    early = default if ahead is None else validated_whole_seconds("ahead", ahead, most=MAX_LEEWAY)
    if limits is not None:
        if late > limits.max_leeway:
            raise ConfigurationError(
                f"leeway={late} is too long for profile={profile!r}: expiration must be verified ({_VALIDITY}), and "
                f"more than {limits.max_leeway} s is more than clocks differ: write leeway={limits.max_leeway} or less"
            )
        if not limits.ahead <= early <= limits.max_ahead:
            raise ConfigurationError(
                f"ahead={early} contradicts profile={profile!r}: tokens from {limits.ahead} s ahead must be accepted, "
                f"and those from more than {limits.max_ahead} s refused ({limits.standard} {limits.ahead_source}): "
                f"write ahead={limits.ahead} to {limits.max_ahead}"
            )
    if late > LONG_LEEWAY:
        log.warning("JWT with leeway=%d: tokens live that many seconds longer than their issuer says", late)
    if early > LONG_LEEWAY and ahead is not None:
        log.warning("JWT with ahead=%d: tokens are accepted that many seconds before their nbf", early)
    return late, early
