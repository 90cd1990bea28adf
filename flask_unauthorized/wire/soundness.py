"""What a challenge that other code wrote must hold: one rule for the guard, which mends it, and for `assert_sound`."""

import re
from collections.abc import Collection
from typing import Final, NamedTuple

from .challenge import Challenge, check_sendable, parse_challenges
from .grammar import GrammarError
from .rules import RULED, SPELLINGS, check_required

_BARE: Final = frozenset({"negotiate", "ntlm"})
"""Schemes whose first challenge is their name alone, and whose next one is a token68 (RFC 4559 §4.1)."""
_STATUS_OF: Final = {
    "invalid_request": 400,
    "invalid_token": 401,
    "insufficient_user_authentication": 401,
    "invalid_dpop_proof": 401,
    "use_dpop_nonce": 401,
    "insufficient_scope": 403,
}
_OF_ERRORS: Final = frozenset({"error", "error_description", "error_uri"})
_BARE_REALM: Final = re.compile(r'(?:^|[\s,])realm\s*=\s*(?!")', re.IGNORECASE)
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')

Pairs = list[tuple[str, str]]


class Examined(NamedTuple):
    """The challenges of a line that may be sent, and what is wrong with the line as it came."""

    challenges: tuple[Challenge, ...]
    problems: tuple[str, ...]


def examine(line: str, status: int, configured: Collection[str] = ()) -> Examined:
    """Judges one ``WWW-Authenticate`` line of an answer with ``status``. Raises nothing.

    Basic, Bearer, Digest and DPoP must hold the rules of their RFCs. Where only an optional parameter breaks one, the
    parameter is left out and the challenge stays. Another scheme needs at least one parameter, or a token68 if it is
    registered with IANA or named in ``configured`` (in lower case). Only Negotiate and NTLM may stand alone.
    """
    try:
        parsed = parse_challenges(line)
    except GrammarError as error:
        return Examined((), (f"a challenge that doesn't parse: {error}",))
    problems = _misspelled(line, parsed)
    sound: list[Challenge] = []
    for challenge in parsed:
        mended = _mended(challenge, status, configured, problems)
        if mended is not None:
            sound.append(mended)
    return Examined(tuple(sound), tuple(problems))


def _mended(challenge: Challenge, status: int, configured: Collection[str], problems: list[str]) -> Challenge | None:
    """The challenge without its broken parameters; ``None`` where nothing of use is left."""
    scheme = challenge.scheme.lower()
    if challenge.token68 is not None or not challenge.params:
        if _may_lack_params(scheme, challenge.token68, configured):
            return challenge
        what = "without a parameter" if challenge.token68 is None else "with a token68"
        problems.append(f"a challenge {challenge.scheme!a} {what}, which that scheme does not define")
        return None
    kept = _sendable(scheme, challenge.params, problems)
    if scheme in SPELLINGS or scheme in configured:
        kept = _of_status(kept, status, problems)
    try:
        check_required(scheme, {name.lower() for name, _ in kept})
    except ValueError as error:
        problems.append(str(error))
        return None
    if not kept:
        return None
    return challenge if len(kept) == len(challenge.params) else Challenge(challenge.scheme, kept)


def _may_lack_params(scheme: str, token68: str | None, configured: Collection[str]) -> bool:
    if scheme in _BARE:
        return True
    return token68 is not None and scheme not in RULED and (scheme in SPELLINGS or scheme in configured)


def _sendable(scheme: str, params: tuple[tuple[str, str], ...], problems: list[str]) -> Pairs:
    kept: Pairs = []
    for name, value in params:
        try:
            check_sendable(scheme, name, value)
        except ValueError as error:
            problems.append(str(error))
        else:
            kept.append((name, value))
    return kept


def _of_status(params: Pairs, status: int, problems: list[str]) -> Pairs:
    """The parameters without an error code that belongs to another status, and what describes it (RFC 6750 §3.1)."""
    error = next((value for name, value in params if name.lower() == "error"), "")
    if _STATUS_OF.get(error, status) == status:
        return params
    problems.append(f"error={error} belongs to another status")
    return [(name, value) for name, value in params if name.lower() not in _OF_ERRORS]


def _misspelled(line: str, parsed: tuple[Challenge, ...]) -> list[str]:
    """What the parser forgives and some clients don't: looked for outside of quoted strings."""
    bare = _QUOTED.sub('""', line)
    problems = ["a realm that is not quoted"] if _BARE_REALM.search(bare) else []
    for challenge in parsed:
        name = challenge.scheme  # as registered, whatever was received
        if re.search(rf"(?:^|,)\s*{re.escape(name)}(?:\s|,|$)", bare) is None:
            problems.append(f"a scheme that is registered as {name}")
    return problems
