"""The goals of the project's performance, and whether the run met them."""

from collections.abc import Callable
from typing import NamedTuple

from contenders.base import REFUSALS, Entry
from contenders.none import ROUTES
from footprint import OURS
from results import Results

BEARER = ("ours.bearer", "accepted")
_TITLES = {"missing": "401, nothing sent", "wrong": "401, wrong token", "forbidden": "403"}
_SIGNATURES = ("HS256", "RS256", "ES256", "EdDSA")


class Bound(NamedTuple):
    """The most that an overhead may be, divided by another one: in instructions, and in time, which varies more."""

    instructions: float
    time: float


class Goal(NamedTuple):
    """What was wanted, what came out, and whether that's met; by time and by instructions where both tell."""

    text: str
    measured: str
    met: str


def goals(results: Results) -> list[Goal]:
    """All goals for what exists."""
    return [
        *_accepted(results),
        _scope_check(results),
        *_refusals(results),
        _open_page(results),
        _ratio(
            results,
            "open page that asks who is calling, over Flask-HTTPAuth Token",
            ("ours.bearer", "asks"),
            ("httpauth.token", "asks"),
            Bound(1.0, 1.0),
        ),
        _no_garbage(results),
        _garbage_of_broken_cookie(results),
        *_signed(results),
        _stored(results),
        *_more_schemes(results),
        *_import(results),
        *_growth(results),
    ]


def _accepted(results: Results) -> list[Goal]:
    """Accepted requests over those of the peer that does the same."""
    rows = (
        ("Bearer accepted over Flask-HTTPAuth Token", "ours.bearer", "httpauth.token", Bound(0.34, 0.55)),
        ("Bearer accepted over the decorator by hand", "ours.bearer", "none.by_hand", Bound(1.0, 1.15)),
        ("`protect` accepted over Flask-HTTPAuth Token", "ours.protect", "httpauth.token", Bound(0.38, 0.60)),
        (
            "Basic accepted over Flask-HTTPAuth Basic, without a hash",
            "ours.basic",
            "httpauth.basic",
            Bound(0.36, 0.60),
        ),
        (
            "Digest accepted, replay protection on, over Flask-HTTPAuth Digest",
            "ours.digest",
            "httpauth.digest",
            Bound(0.30, 0.30),
        ),
        ("session accepted over Flask-Login, session", "ours.session", "login.session", Bound(0.85, 0.95)),
    )
    schemes = (("accepted", "Bearer"), ("basic", "Basic"), ("key", "API key"))
    return [
        *(_ratio(results, text, (ours, "accepted"), (theirs, "accepted"), bound) for text, ours, theirs, bound in rows),
        *(
            _ratio(
                results,
                f"three schemes, accepted by {scheme}, over Flask-HTTPAuth Multi",
                ("ours.three", case),
                ("httpauth.multi", case),
                Bound(0.22, 0.35),
            )
            for case, scheme in schemes
        ),
    ]


def _refusals(results: Results) -> list[Goal]:
    bounds = {"missing": Bound(0.20, 0.20), "wrong": Bound(0.40, 0.50), "forbidden": Bound(0.45, 0.55)}
    return [
        *(
            _ratio(
                results,
                f"{_TITLES[case]}, {how}over Flask-HTTPAuth Token",
                (ours, case),
                ("httpauth.token", case),
                bound,
            )
            for ours, how in (("ours.bearer", ""), ("ours.protect", "by `protect`, "))
            for case, bound in bounds.items()
            if (ours, case) in results.timings.by_entry  # `protect` demands no scope
        ),
        *(
            _ratio(
                results,
                f"{_TITLES[case]}, in an app with a handler for `HTTPException`, over Flask-HTTPAuth Token there",
                ("ours.bearer-handler", case),
                ("httpauth.token-handler", case),
                Bound(1.0, 1.0),
            )
            for case in REFUSALS
        ),
    ]


def _signed(results: Results) -> list[Goal]:
    bounds = {"HS256": Bound(0.11, 0.16), "RS256": Bound(0.17, 0.18), "ES256": Bound(0.34, 0.29)}
    return [
        *(
            _ratio(
                results,
                f"JWT accepted, {name}, over Flask-JWT-Extended",
                (f"ours_jwt.{name.lower()}", "accepted"),
                (f"jwt_extended.{name.lower()}", "accepted"),
                bound,
            )
            for name, bound in bounds.items()
        ),
        *(_remembered(results, name) for name in _SIGNATURES),
        *(_proved(results, name) for name in ("ES256", "EdDSA")),
    ]


def _remembered(results: Results, name: str) -> Goal:
    """By time alone: a number of microseconds has no instructions."""
    kept, plain = (results.overhead(entry) for entry in ((f"ours_jwt.{name.lower()}-cached", "accepted"), BEARER))
    assert kept is not None
    assert plain is not None
    more = kept - plain
    return Goal(
        f"JWT remembered, {name}: <= Bearer accepted and 3 µs", f"{more:.1f} µs more", _verdict(more <= 3, None)
    )


def _proved(results: Results, name: str) -> Goal:
    """A DPoP request has two signatures: the token's and the proof's."""

    def value(instructions: bool) -> float | None:
        one = results.quotient(
            (f"ours_dpop.{name.lower()}-jwt", "accepted"), (f"bare_jwt.{name.lower()}", "accepted"), instructions
        )
        return None if one is None else one / 2

    return _judged(f"DPoP with a JWT, {name}, over the two signatures alone", "<= 1.30 x", value, Bound(1.3, 1.3))


def _stored(results: Results) -> Goal:
    text = "stored token beyond one SELECT by hand: <= 25 k instructions"
    ours, by_hand = (results.overhead((f"stored.{key}", "accepted"), True) for key in ("ours", "by_hand"))
    if ours is None or by_hand is None:
        return Goal(text, "not counted", "unknown")
    more = ours - by_hand
    return Goal(text, f"{more / 1000:.1f} k", _verdict(more <= 25_000, None))


def _verdict(by_time: bool, by_instructions: bool | None) -> str:
    """Yes only where both agree, for a goal that one of two measures misses isn't met."""
    if by_instructions is None or by_time == by_instructions:
        return "**yes**" if by_time else "no"
    return "in time only" if by_time else "in instructions only"


def _judged(text: str, limit: str, value: Callable[[bool], float | None], bound: Bound, unit: str = " x") -> Goal:
    """A goal of at most ``bound`` for ``value(False)``, by time, and ``value(True)``, by instructions."""
    time, instructions = value(False), value(True)
    assert time is not None
    measured = f"{time:.2f}{unit}" + ("" if instructions is None else f"; {instructions:.2f}{unit} in instructions")
    met = None if instructions is None else instructions <= bound.instructions
    return Goal(f"{text}: {limit}", measured, _verdict(time <= bound.time, met))


def _ratio(results: Results, text: str, ours: Entry, theirs: Entry, bound: Bound) -> Goal:
    def value(instructions: bool) -> float | None:
        return results.quotient(ours, theirs, instructions)

    limit = f"<= {bound.time:.2f} x"
    if bound.instructions != bound.time:
        limit += f"; {bound.instructions:.2f} x in instructions"
    return _judged(text, limit, value, bound)


def _scope_check(results: Results) -> Goal:
    text = "scope check on top: <= 4 k instructions"
    checked, alone = (results.overhead(("ours.bearer", case), True) for case in ("held", "accepted"))
    if checked is None or alone is None:
        return Goal(text, "not counted", "unknown")
    return Goal(text, f"{(checked - alone) / 1000:.1f} k", _verdict(checked - alone <= 4000, None))


def _open_page(results: Results) -> Goal:
    """The guard sees every response, so this isn't zero."""
    text = "open page, no code asks: <= 20 k instructions, for the guard"
    overhead = results.overhead(("ours.bearer", "open"), True)
    if overhead is None:
        return Goal(text, "not counted", "unknown")
    return Goal(text, f"{overhead / 1000:.1f} k", _verdict(overhead <= 20000, None))


def _no_garbage(results: Results) -> Goal:
    entries = [BEARER, *((ours, case) for ours in ("ours.bearer", "ours.bearer-handler") for case in REFUSALS)]
    most = max(results.garbage(entry) for entry in entries)
    return Goal("objects that only the cycle collector frees: 0 per request", f"{most:.1f}", _verdict(most <= 0, None))


def _garbage_of_broken_cookie(results: Results) -> Goal:
    """itsdangerous keeps the request in a cycle, whoever protects the view, and our notes of the request with it."""
    ours, anyway = (results.garbage((key, "wrong")) for key in ("ours.session", "none.session"))
    text = "the same for a broken session cookie, beyond those of the bare view with it: <= 12 per request"
    return Goal(text, f"{ours - anyway:.1f} beyond {anyway:.1f}", _verdict(ours - anyway <= 12, None))


def _more_schemes(results: Results) -> list[Goal]:
    def goal(text: str, six: str) -> Goal:
        def value(instructions: bool) -> float | None:
            return results.quotient((six, "accepted"), ("ours.authorization-2", "accepted"), instructions)

        return _judged(text, "<= 1.05 x", value, Bound(1.05, 1.05))

    return [
        goal("six schemes in `Authorization` over two", "ours.authorization-6"),
        goal("six schemes, two of them keys in headers, over two in `Authorization`", "ours.mixed-6"),
    ]


def _import(results: Results) -> list[Goal]:
    ours = results.footprints[OURS]
    found = [
        Goal("import of `Auth, Bearer` over Flask: <= 6 ms", f"{ours.time:.1f} ms", _verdict(ours.time <= 6, None))
    ]
    if ours.private is not None:
        memory = ours.private / 1024
        text = "private memory over Flask: <= 0.85 MiB"
        found.append(Goal(text, f"{memory:.2f} MiB", _verdict(memory <= 0.85, None)))
    return found


def _growth(results: Results) -> list[Goal]:
    def value(instructions: bool) -> float | None:
        one = results.whole(BEARER, instructions)
        if one is None:
            return None
        among = [results.whole((f"ours.routes-{routes}", "accepted"), instructions) or 0.0 for routes in ROUTES]
        return max(abs(whole / one - 1) for whole in among) * 100

    one, hundred, thousand = (results.start_ups["ours", count].first for count in (1, 100, 1000))
    growth = (thousand - one) / (hundred - one)
    return [
        _judged("accepted request, 1 to 1 000 protected routes", "flat within 3 %", value, Bound(3, 3), " %"),
        Goal(
            "first request, 1 to 1 000 protected routes: linear (100 to 1 000 grows at most 12-fold)",
            f"{growth:.1f}-fold",
            _verdict(growth <= 12, None),
        ),
    ]
