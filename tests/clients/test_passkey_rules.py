"""The rules of the passkey example, without a browser: an authenticator written from Web Authentication Level 3."""

import base64
import hashlib
import json
import random
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from ..conftest import SoundClient
from ..live.conftest import running
from .conftest import need

need_webauthn = pytest.fixture(scope="module", autouse=True)(lambda: need("webauthn"))
ORIGIN, WORD = "http://localhost:5000", "correct horse"
PAGE = {"Accept": "text/html,application/xhtml+xml"}
PRESENT, VERIFIED, ELIGIBLE, BACKED_UP, ATTESTED = 1, 4, 8, 16, 64  # §6.1: flags


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def cbor(value: Any) -> bytes:
    """As much of RFC 8949 as an attestation object needs."""

    def head(kind: int, number: int) -> bytes:
        if number < 24:
            return bytes([kind << 5 | number])
        size = 1 if number < 1 << 8 else 2
        return bytes([kind << 5 | (23 + size)]) + number.to_bytes(size, "big")

    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, dict):
        return head(5, len(value)) + b"".join(cbor(key) + cbor(item) for key, item in value.items())
    data, kind = (value, 2) if isinstance(value, bytes) else (value.encode(), 3)
    return head(kind, len(data)) + data


class Authenticator:
    """A passkey, and how it answers. Attributes may be changed to answer wrongly."""

    def __init__(self, algorithm: int = -7) -> None:
        self.algorithm = algorithm
        self.id = random.randbytes(16)
        self.user: bytes | None = None
        self.origin, self.rp_id = ORIGIN, "localhost"
        self.flags, self.count = PRESENT | VERIFIED, 0
        self.client_data: dict[str, Any] = {}
        if algorithm == -8:
            self.key: Any = ed25519.Ed25519PrivateKey.generate()
            self.public = {1: 1, 3: -8, -1: 6, -2: self.key.public_key().public_bytes_raw()}
        else:
            self.key = ec.generate_private_key(ec.SECP256R1())
            numbers = self.key.public_key().public_numbers()
            self.public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}

    def _said(self, kind: str, challenge: str) -> bytes:
        """§5.8.1: what the browser adds."""
        said = {"type": kind, "challenge": challenge, "origin": self.origin, "crossOrigin": False}
        return json.dumps({**said, **self.client_data}).encode()

    def _data(self, extra: bytes = b"", flags: int = 0) -> bytes:
        """§6.1: authenticator data."""
        return (
            hashlib.sha256(self.rp_id.encode()).digest()
            + bytes([self.flags | flags])
            + self.count.to_bytes(4, "big")
            + extra
        )

    def _credential(self, **response: str | None) -> dict[str, Any]:
        return {"id": b64(self.id), "rawId": b64(self.id), "type": "public-key", "response": response}

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """§6.5: a new credential, with the attestation "none"."""
        self.user = unb64(options["user"]["id"])
        new = bytes(16) + len(self.id).to_bytes(2, "big") + self.id + cbor(self.public)
        attestation = cbor({"fmt": "none", "attStmt": {}, "authData": self._data(new, ATTESTED)})
        return self._credential(
            clientDataJSON=b64(self._said("webauthn.create", options["challenge"])), attestationObject=b64(attestation)
        )

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """§6.3.3: a proof."""
        self.count += 1
        data, said = self._data(), self._said("webauthn.get", options["challenge"])
        signed = data + hashlib.sha256(said).digest()
        signature = self.key.sign(*([signed] if self.algorithm == -8 else [signed, ec.ECDSA(hashes.SHA256())]))
        return self._credential(
            clientDataJSON=b64(said), authenticatorData=b64(data), signature=b64(signature),
            userHandle=None if self.user is None else b64(self.user),
        )  # fmt: skip


@pytest.fixture(scope="module")
def example(tmp_path_factory, need_webauthn):
    """The package, with its data in a folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PASSKEY_STEP_UP_DATA", str(tmp_path_factory.mktemp("passkeys")))
        patch.setenv("PORT", "5000")
        known = set(sys.modules)
        import examples.passkey_step_up as package

        yield package
        package.auth.schemes[0].store.close()
        for name in set(sys.modules) - known:
            if name.startswith("examples.passkey_step_up"):
                del sys.modules[name]


@pytest.fixture
def app(example):
    app = example.create_app()
    app.testing = True
    app.test_client_class = SoundClient
    with app.app_context(), example.database.connection() as database:
        database.execute("DELETE FROM passkeys")
    return app


class User:
    """Someone at the app, and what the page's script does for them."""

    def __init__(self, app: Any, name: str) -> None:
        self.client = app.test_client()
        assert self.client.post("/login", data={"name": name, "password": WORD}).status_code < 400

    def options(self, path: str = "/step-up") -> dict[str, Any]:
        answer = self.client.post(f"{path}/options", json={})
        assert answer.status_code == 200, answer.text
        return answer.json

    def send(self, credential: Any, path: str = "/step-up", **more: Any) -> Any:
        return self.client.post(path, json={"credential": credential, **more})

    def add(self, authenticator: Authenticator, name: str = "Phone") -> Any:
        return self.send(authenticator.create(self.options("/passkeys")), "/passkeys", name=name)

    def confirm(self, authenticator: Authenticator) -> Any:
        return self.send(authenticator.get(self.options()))

    @property
    def may_see_payouts(self) -> bool:
        return self.client.get("/payouts").status_code == 200


@pytest.fixture
def ada(app):
    return User(app, "ada")


@pytest.fixture
def phone(ada):
    phone = Authenticator()
    assert ada.add(phone).status_code == 200
    return phone


def later(monkeypatch, seconds):
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + seconds)
    monkeypatch.setattr("flask_unauthorized.authentication.authorization.time", time.time)


# --- the way


def test_a_page_leads_to_the_step_up_and_back(app):
    client = app.test_client()
    assert client.get("/payouts", headers=PAGE).location == "/login?next=/payouts"
    ada, phone = User(app, "ada"), Authenticator()
    assert ada.client.get("/payouts", headers=PAGE).location == "/login?next=/payouts"
    assert "add a passkey" in ada.client.get("/login?next=/payouts").text  # there is none yet
    assert ada.add(phone).json == {"next": "/passkeys"}
    assert not ada.may_see_payouts  # a new passkey proves nothing
    assert ada.client.get("/payouts", headers=PAGE).location == "/login?next=/payouts"
    assert ada.client.get("/login?next=/payouts").location == "/step-up?next=/payouts"
    assert "Use a passkey" in ada.client.get("/step-up?next=/payouts").text
    answer = ada.client.post("/step-up?next=/payouts", json={"credential": phone.get(ada.options())})
    assert answer.json == {"next": "/payouts"}
    assert "phrh" in ada.client.get("/payouts").text


def test_a_script_gets_401_with_the_levels(ada, phone):
    answer = ada.client.get("/payouts", headers={"Accept": "application/problem+json"})
    assert answer.status_code == 401
    assert 'error="insufficient_user_authentication"' in answer.headers["WWW-Authenticate"]
    assert (answer.json["acr_values"], answer.json["max_age"]) == ("phrh phr", 300)


def test_the_confirmation_lasts_five_minutes_and_a_password_is_no_substitute(ada, phone, monkeypatch):
    ada.confirm(phone)
    assert ada.may_see_payouts
    later(monkeypatch, 301)
    assert not ada.may_see_payouts
    assert ada.client.post("/login", data={"name": "ada", "password": WORD}).status_code < 400
    assert not ada.may_see_payouts
    assert ada.confirm(phone).status_code == 200
    assert ada.may_see_payouts


@pytest.mark.parametrize("algorithm", [-7, -8], ids=["ES256", "Ed25519"])
def test_each_algorithm_is_accepted(ada, algorithm):
    key = Authenticator(algorithm)
    assert ada.add(key).status_code == 200
    assert ada.confirm(key).status_code == 200
    assert ada.may_see_payouts


@pytest.mark.parametrize(("flags", "level"), [(0, "phrh"), (ELIGIBLE, "phr"), (ELIGIBLE | BACKED_UP, "phr")])
def test_the_level_says_whether_the_passkey_stays_on_its_device(ada, flags, level):
    key = Authenticator()
    key.flags |= flags
    ada.add(key)
    assert ada.confirm(key).status_code == 200
    assert f"<code>{level}</code>" in ada.client.get("/payouts").text


def test_authenticators_that_do_not_count_and_name_no_user(ada):
    key = Authenticator()
    ada.add(key)
    for _ in range(2):
        key.count, key.user = -1, None  # `get` adds 1
        assert ada.confirm(key).status_code == 200


# --- what is refused


def refused(answer, message="was not accepted"):
    assert answer.status_code == 422, answer.text
    assert message in answer.json["message"]
    assert "Cache-Control" in answer.headers
    return True


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://evil.example"},
        {"origin": "http://localhost:5001"},
        {"origin": "https://localhost:5000"},
        {"origin": "http://localhost:5000/"},
        {"origin": "http://app.localhost:5000"},
        {"origin": "null"},
        {"rp_id": "evil.example"},
        {"rp_id": "localhost:5000"},
        {"flags": PRESENT},
        {"flags": VERIFIED},
        {"flags": 0},
        {"flags": PRESENT | VERIFIED | BACKED_UP},
        {"client_data": {"type": "webauthn.create"}},
        {"client_data": {"challenge": b64(bytes(32))}},
        {"client_data": {"challenge": ""}},
        {"client_data": {"crossOrigin": True, "topOrigin": "https://evil.example"}},
        {"user": bytes(32)},
        {"key": ec.generate_private_key(ec.SECP256R1())},
        {"id": bytes(16)},
    ],
    ids=lambda wrong: "-".join(wrong),
)
def test_a_wrong_proof_is_refused_and_raises_nothing(ada, phone, wrong):
    kept = dict(vars(phone))
    vars(phone).update(wrong)
    assert refused(ada.confirm(phone))
    assert not ada.may_see_payouts
    vars(phone).update(kept)
    assert ada.confirm(phone).status_code == 200


@pytest.mark.parametrize(
    "wrong",
    [
        {"origin": "https://evil.example"},
        {"rp_id": "evil.example"},
        {"flags": PRESENT},
        {"flags": VERIFIED},
        {"client_data": {"type": "webauthn.get"}},
        {"client_data": {"challenge": b64(bytes(32))}},
        {"client_data": {"crossOrigin": True}},
        {"public": {1: 2, 3: -7, -1: 1, -2: bytes(32)}},
        {"public": {1: 3, 3: -65535, -1: bytes(64), -2: b"\1\0\1"}},  # RS1, with SHA-1
        {"public": {}},
        {"id": b""},
    ],
    ids=lambda wrong: "-".join(wrong),
)
def test_a_wrong_registration_is_refused(ada, wrong):
    key = Authenticator()
    vars(key).update(wrong)
    answer = ada.add(key)
    if answer.status_code == 200:  # it can't be used, then
        assert refused(ada.confirm(key))
    else:
        assert refused(answer)
    assert not ada.may_see_payouts


def test_a_passkey_that_begins_or_ceases_to_be_synced_is_refused(ada, phone):
    phone.flags |= ELIGIBLE
    assert refused(ada.confirm(phone))


def test_a_sign_count_that_does_not_rise_is_refused(ada, phone, caplog):
    phone.count = 7
    assert ada.confirm(phone).status_code == 200
    for count in (7, 3, -1):  # the count of before, a lower one, none
        phone.count = count
        if count != 7:
            assert refused(ada.confirm(phone), "may have been copied")
    assert "its sign count didn't rise" in caplog.text
    phone.count = 7  # 8 again
    assert refused(ada.confirm(phone), "may have been copied")
    phone.count = 8
    assert ada.confirm(phone).status_code == 200


def test_the_passkey_of_another_user_is_refused(app, ada, phone):
    eve, own = User(app, "eve"), Authenticator()
    assert eve.add(own).status_code == 200
    assert refused(eve.confirm(phone))
    phone.user = own.user
    assert refused(eve.confirm(phone))
    assert not eve.may_see_payouts


def test_a_registered_id_cannot_be_added_again(app, ada, phone):
    copied = Authenticator()
    copied.id = phone.id
    assert refused(User(app, "eve").add(copied), "registered already")


def test_the_challenge_of_another_user_or_session_is_refused(app, ada, phone):
    other = User(app, "ada")
    asked = other.options()
    ada.options()
    assert refused(ada.send(phone.get(asked)))
    assert refused(ada.send(phone.get(asked)), "sent already")  # that try was the only one


def test_a_challenge_of_a_registration_is_none_for_a_proof(ada, phone):
    ada.confirm(phone)
    asked = ada.options("/passkeys")
    assert refused(ada.send(phone.get(asked)), "sent already")


def test_a_login_and_a_logout_forget_the_challenge(ada, phone):
    asked = ada.options()
    ada.client.post("/login", data={"name": "ada", "password": WORD})
    assert refused(ada.send(phone.get(asked)), "sent already")


def test_a_challenge_expires(ada, phone, monkeypatch):
    asked = ada.options()
    later(monkeypatch, 301)
    assert refused(ada.send(phone.get(asked)), "took too long")


def copy_of(user, app):
    """A second client with the same cookie."""
    copied = User.__new__(User)
    copied.client = app.test_client()
    copied.client.set_cookie("session", user.client.get_cookie("session").value)
    return copied


def test_a_response_is_accepted_once_also_from_a_copied_session(app, ada, phone):
    asked = ada.options()
    thief = copy_of(ada, app)  # with the challenge in it
    proof = phone.get(asked)
    assert ada.send(proof).status_code == 200
    assert refused(ada.send(proof), "sent already")
    answer = thief.send(proof)
    assert answer.status_code == 401 or refused(answer, "sent already")
    assert not thief.may_see_payouts


def test_each_challenge_has_one_try_also_from_a_copied_session(app, ada, phone):
    asked = ada.options()
    copied = copy_of(ada, app)
    assert refused(ada.send({}))
    assert refused(copied.send(phone.get(asked)), "sent already")
    assert not copied.may_see_payouts


def test_of_many_requests_with_one_response_one_is_accepted(app, ada):
    key = Authenticator()
    ada.add(key)
    key.count = -1  # an authenticator that doesn't count, so that the challenge alone decides
    proof = key.get(ada.options())
    copies = [copy_of(ada, app) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(lambda copied: copied.send(proof).status_code, copies))
    assert statuses.count(200) == 1
    assert {*statuses} <= {200, 401, 422}


def test_a_copied_session_gains_nothing_from_the_confirmation(app, ada, phone):
    thief = copy_of(ada, app)
    ada.confirm(phone)
    assert ada.may_see_payouts
    assert not thief.may_see_payouts


# --- changes


def test_the_first_passkey_needs_a_fresh_password(ada, monkeypatch):
    later(monkeypatch, 301)
    assert ada.client.get("/passkeys?next=/payouts", headers=PAGE).location == "/login?next=/passkeys?next%3D/payouts"
    assert ada.client.post("/passkeys/options", json={}).status_code == 401
    assert ada.client.post("/passkeys", json={}).status_code == 401
    answer = ada.client.post("/login?next=/passkeys?next%3D/payouts", data={"name": "ada", "password": WORD})
    assert answer.location == "/passkeys?next=/payouts"
    key = Authenticator()
    made = ada.client.post(
        "/passkeys?next=/payouts", json={"credential": key.create(ada.options("/passkeys")), "name": "x" * 99}
    )
    assert made.json == {"next": "/payouts"}


def test_with_a_passkey_the_password_alone_changes_none(app, ada, phone):
    """Someone who knows the password, or has copied a fresh session, adds no passkey of their own."""
    thief = User(app, "ada")
    assert thief.client.get("/passkeys", headers=PAGE).location == "/login?next=/passkeys"
    assert thief.client.post("/passkeys/options", json={}).status_code == 401
    assert thief.client.post("/passkeys", json={}).status_code == 401
    assert thief.client.post("/passkeys/1/delete").status_code == 401
    assert ada.confirm(phone).status_code == 200
    page = ada.client.get("/passkeys").text
    assert "Phone" in page
    laptop = Authenticator()
    assert ada.add(laptop, "<b>Laptop</b>").status_code == 200
    assert "&lt;b&gt;Laptop" in ada.client.get("/passkeys").text
    assert ada.confirm(laptop).status_code == 200


def test_a_deleted_passkey_proves_nothing_and_only_its_owner_deletes_it(app, ada, phone, example):
    laptop, own, eve = Authenticator(), Authenticator(), User(app, "eve")
    ada.confirm(phone)
    ada.add(laptop)
    with app.app_context():
        user = example.database.user_by_name("ada")
        first, second = (passkey.number for passkey in example.database.passkeys_of(user))
    eve.add(own)
    eve.confirm(own)
    assert eve.client.post(f"/passkeys/{first}/delete").status_code < 400
    assert ada.confirm(phone).status_code == 200
    assert ada.client.post(f"/passkeys/{second}/delete").status_code < 400
    assert refused(ada.confirm(laptop))
    with app.app_context():
        assert [passkey.number for passkey in example.database.passkeys_of(user)] == [first]


def test_a_user_has_ten_passkeys_at_most(ada):
    key = Authenticator()
    ada.add(key)
    ada.confirm(key)
    for _ in range(9):
        assert ada.add(Authenticator()).status_code == 200
    assert refused(ada.add(Authenticator()), "You have 10 passkeys")


@pytest.mark.parametrize(
    "path", ["/step-up", "/step-up/options", "/passkeys", "/passkeys/options", "/passkeys/1/delete"]
)
def test_other_sites_and_visitors_do_nothing(app, ada, phone, path):
    sent = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    assert ada.client.post(path, json={}, headers=sent).status_code == 403
    assert app.test_client().post(path, json={}).status_code == 401


# --- bad input


def broken(credential, rng):
    """The credential with one of its texts changed."""
    credential = json.loads(json.dumps(credential))
    where = rng.choice([credential, credential["response"]])
    name = rng.choice([name for name in where if name != "response"])
    text = where[name] or ""
    data = bytearray(unb64(text) if name != "type" else text.encode())
    for _ in range(rng.randint(1, 3)):
        if data:
            data[rng.randrange(len(data))] = rng.randrange(256)
    where[name] = rng.choice(
        [
            b64(bytes(data)), b64(bytes(data[: rng.randint(0, len(data))])),
            text + rng.choice(["A", "=", "\n", "ü", "\0"]), text[:-1], "", None, 1, True, [], {}, [text], "A", "\ud800",
        ]
    )  # fmt: skip
    return credential


def test_no_response_is_an_error_of_the_server(ada, phone):
    rng = random.Random(9470)
    accepted = 0
    for _ in range(400):
        sound = phone.get(ada.options())
        answer = ada.send(broken(sound, rng))
        assert answer.status_code in (200, 422), answer.text
        accepted += answer.status_code == 200
    assert accepted < 60  # such as a line break after Base64, and a missing user handle, which is optional


def test_no_registration_is_an_error_of_the_server(ada, example, app):
    rng = random.Random(8949)
    for _ in range(400):
        answer = ada.send(broken(Authenticator().create(ada.options("/passkeys")), rng), "/passkeys")
        assert answer.status_code in (200, 422), answer.text
        with app.app_context(), example.database.connection() as database:
            database.execute("DELETE FROM passkeys")


@pytest.mark.parametrize(
    "sent", ["", "{", "[]", "null", '"x"', '{"credential": null}', '{"credential": "[["}', '{"credential": [1]}',
             "[" * 30_000, '{"credential": "%s"}' % ("[" * 30_000), '{"credential": {"response": []}}',
             '{"credential": {"id": 1, "rawId": 1, "response": 1, "type": []}}'],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/step-up", "/passkeys"])
def test_what_is_no_response(ada, phone, path, sent):
    if path == "/passkeys":
        ada.confirm(phone)
    ada.options(path)
    assert refused(ada.client.post(path, data=sent, content_type="application/json"))


def test_a_body_that_is_too_large(ada, phone):
    ada.options()
    assert ada.client.post("/step-up", data=b"x" * 70_000, content_type="application/json").status_code == 413


# --- the set-up


def test_one_command_runs_it(tmp_path):
    folder = tmp_path / "new" / "folder"
    with running("example", ("-m", "examples.passkey_step_up"), PASSKEY_STEP_UP_DATA=str(folder)) as server:
        page = urllib.request.Request(f"http://localhost:{server.port}/payouts", headers=PAGE)
        with urllib.request.urlopen(page, timeout=20) as answer:
            assert "<h1>Log in</h1>" in answer.read().decode()
    assert folder.stat().st_mode & 0o077 == 0


def test_the_setting_decides_the_origin_and_the_cookie(example, monkeypatch):
    monkeypatch.setenv("FLASK_PASSKEY_ORIGIN", "https://payouts.example")
    monkeypatch.setenv("FLASK_PASSKEY_RP_ID", "example")
    monkeypatch.setenv("FLASK_PREFERRED_URL_SCHEME", "https")  # for the test client
    app = example.create_app()
    app.testing = True
    with app.app_context(), example.database.connection() as database:
        database.execute("DELETE FROM passkeys")
    ada, key = User(app, "ada"), Authenticator()
    assert ada.options("/passkeys")["rp"]["id"] == "example"
    assert refused(ada.add(key))  # of http://localhost:5000, whatever Host says
    key.origin, key.rp_id = "https://payouts.example", "example"
    assert ada.add(key).status_code == 200
    assert ada.confirm(key).status_code == 200
    assert ada.client.get_cookie("session").secure
