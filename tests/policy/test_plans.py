"""Plans are made once for each view, and forgotten when they are no longer needed."""

import gc

import pytest

from flask_unauthorized import Forbidden

ADA = {"Authorization": "Bearer good"}


def test_ever_new_demands_do_not_grow_memory(auth, make_app):
    app = make_app(auth)
    with app.test_request_context("/", headers=ADA):
        for number in range(50):
            with pytest.raises(Forbidden):
                auth.require(scopes={f"s{number}"})
    app.extensions["unauthorized"].plans.forget()
    gc.collect()
    assert len(auth._configuration._interned) < 50
