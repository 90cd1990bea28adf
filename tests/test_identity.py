"""Identities as values."""

import copy
import dataclasses
import math
import pickle

import pytest

from flask_unauthorized import Identity
from flask_unauthorized.identity import BareIdentity, RestrictedIdentity, with_login


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


class _Slots(Identity):
    __slots__ = ()


class _Attributes(Identity):
    pass


class _Field(Identity):
    __slots__ = ("more",)


@pytest.mark.parametrize("kind", [Identity, BareIdentity, RestrictedIdentity, _Slots, _Attributes, _Field])
def test_each_class_of_identities_has_all_fields_and_is_frozen(kind):
    given = {
        "subject": "ada", "scopes": {"a"}, "roles": {"b"}, "acr": "c", "auth_time": 1.5, "claims": {"d": 2}, "user": 3,
        "client_id": "e", "expires_at": 4.5, "confirmation": {"f": 5}, "issuer": "g", "amr": {"h"},
    }  # fmt: skip
    made = kind(**given)
    for identity in (made, with_login(made, 9.0, "other", frozenset({"x"}), "y")):
        assert type(identity) is kind
        assert {field.name: getattr(identity, field.name) for field in dataclasses.fields(Identity)} == given
        assert copy.copy(identity) == identity
        with pytest.raises(dataclasses.FrozenInstanceError):
            identity.subject = "bob"


@pytest.mark.parametrize("kind", [Identity, BareIdentity, _Attributes])
def test_the_login_fills_what_an_identity_leaves_out(kind):
    made = with_login(kind("ada", user="A"), 9.0, "gold", frozenset({"pwd"}), "https://id.example")
    assert (made.auth_time, made.acr, made.amr, made.issuer) == (9.0, "gold", {"pwd"}, "https://id.example")
    assert (made.subject, made.user, made.scopes, made.expires_at) == ("ada", "A", frozenset(), None)


def test_a_wrong_value_leaves_no_unfinished_identity():
    unfinished = Identity.__new__(Identity)
    with pytest.raises(TypeError):
        unfinished.__init__("ada", scopes="bare")
    assert type(unfinished) is Identity


class _Tenant(Identity):
    """A class of an app, whose constructor takes more."""

    def __init__(self, subject, tenant, **given):
        super().__init__(subject, **given)
        object.__setattr__(self, "tenant", tenant)


class _TenantInSlot(_Tenant):
    __slots__ = ()


class _PrivateSlot(Identity):
    __slots__ = ("__tenant", "unset")

    def __init__(self, subject, tenant, **given):
        super().__init__(subject, **given)
        object.__setattr__(self, "_PrivateSlot__tenant", tenant)

    @property
    def tenant(self):
        return self.__tenant


@dataclasses.dataclass(frozen=True, slots=True, init=False)
class _TenantField(Identity):
    tenant: str = "none"

    def __init__(self, subject, tenant, **given):
        Identity.__init__(self, subject, **given)
        object.__setattr__(self, "tenant", tenant)


@pytest.mark.parametrize("kind", [_Tenant, _TenantInSlot, _PrivateSlot, _TenantField])
def test_what_a_class_of_the_app_adds_is_copied_too(kind):
    made = kind("ada", "acme", scopes={"a"}, claims={"b": 1}, confirmation={"c": 2})
    copies = [copy.copy(made), copy.deepcopy(made), with_login(made, 9.0, "gold")]
    copies += [pickle.loads(pickle.dumps(made, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]
    for copied in copies:
        assert (type(copied), copied.tenant, copied.scopes) == (kind, "acme", {"a"})
        assert (copied.claims, copied.confirmation) == ({"b": 1}, {"c": 2})
        with pytest.raises(TypeError):
            copied.claims["b"] = 2
    assert copies[2].auth_time == 9.0
