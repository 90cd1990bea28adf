"""Throttles: which limit is reached, for whom, and how long the caller has to wait."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from flask_unauthorized import AuthError, Basic, Bearer
from flask_unauthorized.stores.memory import MemoryStore
from flask_unauthorized.throttle import Limit, Throttle

from . import Row
from .basic import field
from .refusing import PASSWORD, TOKEN, request_of, stopped

# HMAC-SHA-256 by openssl, cut to 16 digits: key = HMAC(APP_KEY, "flask_unauthorized.events subject"), text = "ada"
ADA = "a458d2e5f3d66366"


def beyond(scheme: Any, headers: Any, before: int = 1, **limits: Any) -> Callable[[], AuthError]:
    """Return what makes the refusal of an attempt after those that use up a limit of one failure."""

    def run() -> AuthError:
        throttled = scheme(lambda *secret: None, throttle=Throttle(MemoryStore(), **limits))
        for number in range(before):
            request_of(throttled, headers=headers(number))()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(random, "uniform", lambda low, high: high)
            return request_of(throttled, headers=headers(before))()

    return stopped(run)


ROWS = [
    Row(
        "pair", beyond(Basic, lambda number: field(f"ada:{PASSWORD}{number}"), per_pair=Limit(1, 60)), 429,
        f"throttle: the limit per pair, Limit(1, 60), is reached for the subject {ADA} from 127.0.0.1: wait 60 s",
    ),
    Row(
        "subject", beyond(Basic, lambda number: field(f"ada:{PASSWORD}{number}"), 3, per_subject=Limit(2, 60)), 429,
        f"throttle: the limit per subject, Limit(2, 60), is reached for the subject {ADA} from 127.0.0.1: wait 30 s",
    ),
    Row(
        "disabled", beyond(Basic, lambda number: field(f"ada:{PASSWORD}{number}"), disable_after=1), 429,
        f"throttle: the subject {ADA} is disabled, tried from 127.0.0.1: call throttle.enable(name) when its owner has "
        "a new password",
    ),
    Row(
        "network",
        beyond(
            Bearer, lambda number: {"Authorization": f"Bearer {TOKEN}{number}"}, per_network=Limit(1, 60)
        ),
        429, "throttle: the limit per network, Limit(1, 60), is reached for a token from 127.0.0.1: wait 66 s",
    ),
]  # fmt: skip
