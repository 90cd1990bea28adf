"""``unless=``: a level's demand that doesn't hold for every request.

`Auth.login_required`, `Auth.login_optional` and `Auth.protect` take a function without arguments. If it returns
``True``, the level (one decorator, one call of ``protect``) demands nothing of the current request. Apps use it to
switch authentication off by their configuration, and for pages of one endpoint that are public by their path.

- A plan that depends on such a function isn't kept on the routing rule. So views without ``unless=`` pay nothing, and
  the others take the slower way through ``AppState.plan_for_request``.
- Each function runs once per request. Its result is kept in the state of the request, so that all judgments of a
  request agree: the decorator, ``require()`` and the late judgment.
- Every doubt is a server-side failure, a 500: an exception, another type than `bool`, a function that asks for the very
  judgment that depends on it. The failure counts for the rest of the request, also if the app catches it once.
- Where a plan is only looked up (`known_as_dropped`: a quiet question who is calling, challenges of a refusal), no
  function runs, and a level without a result holds.
"""

from collections.abc import Callable, Iterable
from typing import Any, Final

from werkzeug.exceptions import HTTPException

from ..errors import AuthError
from .functions import check_function, name_of

Condition = Callable[[], object]
"""What the developer passes as ``unless=``."""
Results = dict[Condition, bool | None]
"""What the functions returned in one request; ``None`` for one that runs or failed."""
NOTHING_DROPPED: Final[frozenset[Condition]] = frozenset()
"""All levels hold."""


def validated_condition(unless: Any) -> tuple[Condition, ...]:
    """Return ``unless`` as a tuple of one function; empty for ``None``.

    Raises:
        TypeError: If it isn't a plain function that can be called without arguments.
    """
    if unless is None:
        return ()
    if not callable(unless):
        fix = ': write unless=lambda: current_app.config["LOGIN_DISABLED"]' if isinstance(unless, bool) else ""
        raise TypeError(f"unless must be a function without arguments that returns a bool, not {unless!r}{fix}")
    check_function("unless", unless, (), "without arguments")
    return (unless,)


def dropped(conditions: Iterable[Condition], results: Results) -> frozenset[Condition]:
    """Return the functions whose levels demand nothing of this request. Run those that haven't run yet.

    Args:
        conditions: The functions of all levels.
        results: What is kept in the state of the request.

    Raises:
        TypeError: If a function returns anything else than a `bool`.
        RuntimeError: If a function raised an HTTP error, failed before, or asks for the judgment that depends on it.
        Exception: What a function raised.
    """
    for unless in conditions:
        if unless in results:
            if results[unless] is None:
                raise RuntimeError(
                    f"unless={name_of(unless)} has failed in this request, or it demands a caller itself: it may ask "
                    "auth.get_identity(), and neither auth.require() nor auth.identity"
                )
            continue
        results[unless] = None
        results[unless] = _call(unless)
    return frozenset(unless for unless in conditions if results[unless])


def known_as_dropped(conditions: Iterable[Condition], results: Results | None) -> frozenset[Condition]:
    """Return the functions that have returned ``True`` in this request. None of them is called."""
    return frozenset(unless for unless in conditions if results.get(unless)) if results else NOTHING_DROPPED


def _call(unless: Condition) -> bool:
    try:
        answer = unless()
    except (AuthError, HTTPException) as error:  # It would become a response to the client, and it is a mistake.
        raise RuntimeError(
            f"unless={name_of(unless)} raised {type(error).__name__}, and it must return True or False"
        ) from error
    if not isinstance(answer, bool):
        # bool("false") is True and would open the view, so a text has another fix.
        fix = "compare the text, such as value == 'true'" if isinstance(answer, str) else "write bool(...)"
        raise TypeError(f"unless={name_of(unless)} returned {_shown(answer)}, and it must return True or False: {fix}")
    return answer


def _shown(answer: object) -> str:
    """Return a value for the message; only the type of objects that may hold what a client sent."""
    return repr(answer) if answer is None or isinstance(answer, (int, float)) else f"a {type(answer).__name__}"
