"""Plans are made once for each view, and forgotten when they are no longer needed."""

import gc

import pytest

from flask_unauthorized import Forbidden
from flask_unauthorized.policy.plan import Plan

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


def test_the_plans_of_ever_new_demands_are_bounded(auth, make_app, monkeypatch):
    monkeypatch.setattr("flask_unauthorized.policy.plans.MAX_PLANS", 10)
    app = make_app(auth)
    with app.test_request_context("/", headers=ADA):
        for number in range(50):
            with pytest.raises(Forbidden):
                auth.require(scopes={f"s{number}"})
    gc.collect()
    plans = [one for one in gc.get_objects() if type(one) is Plan and one.requirement.scopes]
    assert 0 < len([one for one in plans if one.requirement in auth._configuration._interned]) <= 10
