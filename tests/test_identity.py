"""Identities as values."""

import dataclasses
import math
import pickle

import pytest

from flask_unauthorized import Identity


def _full() -> Identity:
    return Identity(
        "ada", scopes=["read"], roles=("boss",), acr="gold", auth_time=5, claims={"email": "ada@x"}, user=["secret"],
        client_id="app", expires_at=7.5, confirmation={"jkt": "x"},
    )  # fmt: skip


def test_an_identity_is_frozen_and_hides_what_may_be_private():
    identity = _full()
    assert (identity.scopes, identity.roles) == (frozenset({"read"}), frozenset({"boss"}))
    with pytest.raises(dataclasses.FrozenInstanceError):
        identity.subject = "eve"
    with pytest.raises(TypeError):
        identity.claims["email"] = "eve@x"
    assert "ada@x" not in repr(identity)
    assert "secret" not in repr(identity)
    assert hash(identity) == hash(_full())
    assert identity == _full()


def test_lek_01_an_identity_survives_pickling_and_replacing():
    unpickled = pickle.loads(pickle.dumps(_full()))
    assert unpickled == _full()
    assert dict(unpickled.claims) == {"email": "ada@x"}
    assert dataclasses.replace(unpickled, subject="bob").subject == "bob"


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject": ""}, {"subject": 5}, {"scopes": "read"}, {"roles": b"boss"}, {"scopes": {5}}, {"acr": 5},
        {"auth_time": "now"}, {"expires_at": True}, {"expires_at": math.nan}, {"client_id": 5},
    ],
)  # fmt: skip
def test_what_cannot_be_an_identity_is_a_type_error(wrong):
    with pytest.raises(TypeError):
        Identity(**wrong)
