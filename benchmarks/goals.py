"""The goals of the project's performance, and whether the run met them."""

from collections.abc import Callable
from typing import NamedTuple

from contenders.base import Entry
from contenders.none import ROUTES
from footprint import OURS
from results import Results

BEARER = ("ours.bearer", "accepted")


class Goal(NamedTuple):
    """What was wanted, what came out, and whether that's met; by time and by instructions where both tell."""

    text: str
    measured: str
    met: str


def goals(results: Results) -> list[Goal]:
    """All goals for what exists."""
    return [
        _ratio(results, "Bearer accepted over Flask-HTTPAuth Token", BEARER, ("httpauth.token", "accepted"), 0.20),
        _ratio(results, "Bearer accepted over the decorator by hand", BEARER, ("none.by_hand", "accepted"), 0.55),
        _whole(results),
        _scope_check(results),
        *_refusals(results),
        _open_page(results),
        _ratio(
            results,
            "open page that asks who is calling, over Flask-Login, request_loader",
            ("ours.bearer", "asks"),
            ("login.request", "asks"),
            1.0,
        ),
        _no_garbage(results),
        _ratio(
            results,
            "Basic accepted over Flask-HTTPAuth Basic, without a hash",
            ("ours.basic", "accepted"),
            ("httpauth.basic", "accepted"),
            0.40,
        ),
        *(
            _ratio(
                results,
                f"three schemes, accepted by {scheme}, over Flask-HTTPAuth Multi",
                ("ours.three", case),
                ("httpauth.multi", case),
                0.25,
            )
            for case, scheme in (("accepted", "Bearer"), ("basic", "Basic"), ("key", "API key"))
        ),
        *_for_people(results),
        *_signed(results),
        *_more_schemes(results),
        *_import(results),
        *_growth(results),
    ]


def _refusals(results: Results) -> list[Goal]:
    titles = {"missing": "401, nothing sent", "wrong": "401, wrong token", "forbidden": "403"}
    return [
        _ratio(results, f"{title}, over Flask-HTTPAuth Token", ("ours.bearer", case), ("httpauth.token", case), 0.55)
        for case, title in titles.items()
    ]


def _for_people(results: Results) -> list[Goal]:
    accepted = "accepted"
    return [
        _ratio(
            results,
            "Digest accepted, replay protection on, over Flask-HTTPAuth Digest",
            ("ours.digest", accepted),
            ("httpauth.digest", accepted),
            0.30,
        ),
        _ratio(
            results,
            "session accepted over Flask-Login, session",
            ("ours.session", accepted),
            ("login.session", accepted),
            0.75,
        ),
    ]


def _signed(results: Results) -> list[Goal]:
    bounds = {"HS256": 0.15, "RS256": 0.15, "ES256": 0.30}
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
        *(_near_bare(results, name) for name in (*bounds, "EdDSA")),
        *(_cached(results, name) for name in (*bounds, "EdDSA")),
    ]


def _near_bare(results: Results, name: str) -> Goal:
    """By time alone: a number of microseconds has no instructions."""
    ours, bare = (results.overhead((f"{kind}.{name.lower()}", "accepted")) for kind in ("ours_jwt", "bare_jwt"))
    assert ours is not None
    assert bare is not None
    text = f"JWT accepted, {name}: <= 1.5 x the signature alone and 20 µs"
    return Goal(
        text, f"{ours:.0f} µs, where {1.5 * bare + 20:.0f} is the limit", _verdict(ours <= 1.5 * bare + 20, None)
    )


def _cached(results: Results, name: str) -> Goal:
    kept, plain = (results.overhead(entry) for entry in ((f"ours_jwt.{name.lower()}-cached", "accepted"), BEARER))
    assert kept is not None
    assert plain is not None
    more = kept - plain
    return Goal(f"JWT cached, {name}: <= Bearer accepted and 5 µs", f"{more:.1f} µs more", _verdict(more <= 5, None))


def _verdict(by_time: bool, by_instructions: bool | None) -> str:
    """Yes only where both agree, for a goal that one of two measures misses isn't met."""
    if by_instructions is None or by_time == by_instructions:
        return "**yes**" if by_time else "no"
    return "in time only" if by_time else "in instructions only"


def _judged(text: str, limit: str, value: Callable[[bool], float | None], bound: float, unit: str = " x") -> Goal:
    """A goal of at most ``bound`` for ``value(False)``, by time, and ``value(True)``, by instructions."""
    time, instructions = value(False), value(True)
    assert time is not None
    measured = f"{time:.2f}{unit}" + ("" if instructions is None else f"; {instructions:.2f}{unit} in instructions")
    met = None if instructions is None else instructions <= bound
    return Goal(f"{text}: {limit}", measured, _verdict(time <= bound, met))


def _ratio(results: Results, text: str, ours: Entry, theirs: Entry, bound: float) -> Goal:
    def value(instructions: bool) -> float | None:
        return results.quotient(ours, theirs, instructions)

    return _judged(text, f"<= {bound:.2f} x", value, bound)


def _whole(results: Results) -> Goal:
    def value(instructions: bool) -> float | None:
        return results.whole(BEARER, instructions)

    return _judged("Bearer accepted, whole request over the bare view's", "<= 1.06 x", value, 1.06)


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
    most = max(results.garbage(("ours.bearer", case)) for case in ("accepted", "missing", "wrong", "forbidden"))
    return Goal("objects that only the cycle collector frees: 0 per request", f"{most:.1f}", _verdict(most <= 0, None))


def _more_schemes(results: Results) -> list[Goal]:
    def goal(text: str, six: str) -> Goal:
        def value(instructions: bool) -> float | None:
            return results.quotient((six, "accepted"), ("ours.authorization-2", "accepted"), instructions)

        return _judged(text, "<= 1.05 x", value, 1.05)

    return [
        goal("six schemes in `Authorization` over two", "ours.authorization-6"),
        goal("six schemes, two of them keys in headers, over two in `Authorization`", "ours.mixed-6"),
    ]


def _import(results: Results) -> list[Goal]:
    ours = results.footprints[OURS]
    found = [Goal("import over Flask: <= 5 ms", f"{ours.time:.1f} ms", _verdict(ours.time <= 5, None))]
    if ours.private is not None:
        memory = ours.private / 1024
        found.append(Goal("private memory over Flask: <= 0.7 MiB", f"{memory:.2f} MiB", _verdict(memory <= 0.7, None)))
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
        _judged("accepted request, 1 to 1 000 protected routes", "flat within 3 %", value, 3, " %"),
        Goal(
            "first request, 1 to 1 000 protected routes: linear (100 to 1 000 grows at most 12-fold)",
            f"{growth:.1f}-fold",
            _verdict(growth <= 12, None),
        ),
    ]
