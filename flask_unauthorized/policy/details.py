"""``authorization_details=``: functions of the app that decide by what a token was issued for (RFC 9396).

A token may carry ``authorization_details``, a list of objects with a ``type``. Only the API that defines a type knows
what its members mean, so the app gives a function to the guard.

- The function gets the list, and may read ``request`` for what the request asks for. The list is empty for a caller
  without ``authorization_details``, such as one with a session: the function decides about them as well.
- Each call gets a copy, so that no function can change what later ones see.
- ``False`` refuses the request: 403 ``insufficient_scope``. RFC 9396 names no error of resources, and RFC 6750 §3.1 has
  this one for a request that needs more than the token grants.
- Every doubt is a server-side failure, a 500: an exception, and another type than `bool`.
- A function may run several times for one request, once for each judgment.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any, Final

from werkzeug.exceptions import HTTPException

from ..errors import AuthError
from .functions import check_function, name_of

CLAIM: Final = "authorization_details"
Decision = Callable[[list[dict[str, Any]]], object]
"""What the developer passes as ``authorization_details=``."""


def validated_decision(decide: Any) -> tuple[Decision, ...]:
    """Return ``decide`` as a tuple of one function; empty for ``None``.

    Raises:
        TypeError: If it isn't a plain function that can be called with the list.
    """
    if decide is None:
        return ()
    if not callable(decide):
        raise TypeError(
            f"authorization_details must be a function of the token's list that returns a bool, not {decide!r}: write "
            "authorization_details=may_pay"
        )
    check_function("authorization_details", decide, ([],), "with the list alone")
    return (decide,)


def allows(decide: Decision, claims: Mapping[str, Any]) -> bool:
    """Return whether a function accepts the ``authorization_details`` in the claims of a caller.

    Raises:
        TypeError: If it returns anything else than a `bool`, or if a loader of the app gave claims of another form.
        RuntimeError: If it raises an HTTP error, which would become a response to the client.
        Exception: What it raised.
    """
    details = claims.get(CLAIM, [])
    if not isinstance(details, list) or not all(isinstance(one, dict) for one in details):
        raise TypeError(f"the claim {CLAIM} that the loader returned must be a list of dicts, as in RFC 9396 section 2")
    try:
        answer = decide(copy.deepcopy(details))
    except (AuthError, HTTPException) as error:
        raise RuntimeError(
            f"authorization_details={name_of(decide)} raised {type(error).__name__}, and it must return True or False"
        ) from error
    if not isinstance(answer, bool):
        raise TypeError(
            f"authorization_details={name_of(decide)} returned a {type(answer).__name__}, and it must return True or "
            "False: write bool(...)"
        )
    return answer
