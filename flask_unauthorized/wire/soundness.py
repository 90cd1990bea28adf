"""Which challenges of other code may be sent: one rule for the guard, which repairs them, and for `assert_sound`.

A view may pass on the 401 of another server, and another extension may write its own challenge. Some of these are
useful, some would break a client. If the guard and `assert_sound` judged them by two rules, a test suite would pass for
responses that the guard changes, or fail for those that it keeps. So both call `examine`, and differ in one point only:
the guard sends ``challenges``, and `assert_sound` fails on ``problems``.

The order of steps for one line:

1. Parse it. A line that doesn't parse is dropped: a client would read it differently from what its author meant.
2. Note spellings that this parser accepts and some clients don't. They are problems of the line, but not of its
   challenges, which are printed correctly anyway.
3. For each challenge without parameters: keep it if its scheme defines that form.
4. For each other challenge: drop the parameters that must not be sent, then an error code that belongs to another
   status, then the whole challenge if a required parameter is missing.

Invariants: nothing is added to a challenge, and nothing is raised. A broken optional parameter costs that parameter,
not the challenge, since a challenge without it is still an offer that a client can use. The parameters of a
scheme that this package doesn't know are only checked for characters, because their rules are unknown here.
"""

import re
from collections.abc import Collection
from typing import Final, NamedTuple

from .challenge import Challenge, check_sendable, parse_challenges
from .grammar import GrammarError
from .rules import SCHEMES_WITH_RULES, SPELLINGS, check_required

_WITHOUT_PARAMS: Final = frozenset({"negotiate", "ntlm"})
"""Schemes whose first challenge is the name alone, and whose later ones are a token68 (RFC 4559 §4.1)."""
_STATUS_BY_ERROR_CODE: Final = {
    "invalid_request": 400,
    "invalid_token": 401,
    "insufficient_user_authentication": 401,
    "invalid_dpop_proof": 401,
    "use_dpop_nonce": 401,
    "insufficient_scope": 403,
}
_ERROR_PARAMS: Final = frozenset({"error", "error_description", "error_uri"})
_UNQUOTED_REALM: Final = re.compile(r'(?:^|[\s,])realm\s*=\s*(?!")', re.IGNORECASE)
_QUOTED_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')

Pairs = list[tuple[str, str]]


class Examined(NamedTuple):
    """The result of `examine`.

    Attributes:
        challenges: The challenges that may be sent, without their broken parameters.
        problems: What is wrong with the line as it was written, as phrases for an error message.
    """

    challenges: tuple[Challenge, ...]
    problems: tuple[str, ...]


def examine(line: str, status: int, configured: Collection[str] = ()) -> Examined:
    """Decide which challenges of a ``WWW-Authenticate`` line may be sent.

    Basic, Bearer, Digest and DPoP must follow the rules of their RFCs. Other schemes need at least one parameter, or a
    token68 if they are registered with IANA or configured. Only Negotiate and NTLM may have neither.

    Args:
        line: The value of one field line.
        status: The status of the response, which decides the error codes that a challenge may have (RFC 6750 §3.1).
        configured: The names of the schemes that the app has configured, in lower case.
    """
    try:
        parsed = parse_challenges(line)
    except GrammarError as error:
        return Examined((), (f"a challenge that doesn't parse: {error}",))
    problems = _spelling_problems(line, parsed)
    sound: list[Challenge] = []
    for challenge in parsed:
        repaired = _repaired(challenge, status, configured, problems)
        if repaired is not None:
            sound.append(repaired)
    return Examined(tuple(sound), tuple(problems))


def _repaired(challenge: Challenge, status: int, configured: Collection[str], problems: list[str]) -> Challenge | None:
    """Return the challenge without its broken parameters, or ``None`` if it must not be sent."""
    scheme = challenge.scheme.lower()
    if challenge.token68 is not None or not challenge.params:
        if _may_lack_params(scheme, challenge.token68, configured):
            return challenge
        what = "without a parameter" if challenge.token68 is None else "with a token68"
        problems.append(f"a challenge {challenge.scheme!a} {what}, which that scheme does not define")
        return None
    sendable = _sendable_params(scheme, challenge.params, problems)
    if scheme in SPELLINGS or scheme in configured:
        sendable = _params_for_status(sendable, status, problems)
    try:
        check_required(scheme, {name.lower() for name, _ in sendable})
    except ValueError as error:
        problems.append(str(error))
        return None
    if not sendable:
        return None
    return challenge if len(sendable) == len(challenge.params) else Challenge(challenge.scheme, sendable)


def _may_lack_params(scheme: str, token68: str | None, configured: Collection[str]) -> bool:
    if scheme in _WITHOUT_PARAMS:
        return True
    return token68 is not None and scheme not in SCHEMES_WITH_RULES and (scheme in SPELLINGS or scheme in configured)


def _sendable_params(scheme: str, params: tuple[tuple[str, str], ...], problems: list[str]) -> Pairs:
    sendable: Pairs = []
    for name, value in params:
        try:
            check_sendable(scheme, name, value)
        except ValueError as error:
            problems.append(str(error))
        else:
            sendable.append((name, value))
    return sendable


def _params_for_status(params: Pairs, status: int, problems: list[str]) -> Pairs:
    """Leave out an error code that belongs to another status, with its description (RFC 6750 §3.1)."""
    error = next((value for name, value in params if name.lower() == "error"), "")
    if _STATUS_BY_ERROR_CODE.get(error, status) == status:
        return params
    problems.append(f"error={error} belongs to another status")
    return [(name, value) for name, value in params if name.lower() not in _ERROR_PARAMS]


def _spelling_problems(line: str, parsed: tuple[Challenge, ...]) -> list[str]:
    """Find spellings that the parser accepts and some clients don't, outside of quoted strings."""
    unquoted = _QUOTED_STRING.sub('""', line)
    problems = ["a realm that is not quoted"] if _UNQUOTED_REALM.search(unquoted) else []
    for challenge in parsed:
        name = challenge.scheme  # It is spelled as registered, whatever was received.
        if re.search(rf"(?:^|,)\s*{re.escape(name)}(?:\s|,|$)", unquoted) is None:
            problems.append(f"a scheme that is registered as {name}")
    return problems
