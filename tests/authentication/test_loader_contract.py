"""The loaders' contract (LDR): None and an AuthError are no, what can be a user is yes, all else is never a yes."""

import asyncio
import concurrent.futures
import decimal
import enum
import fractions
import functools
import sqlite3
import threading
from dataclasses import FrozenInstanceError, dataclass
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from flask import Flask, Response, request
from werkzeug import exceptions as http

from flask_unauthorized import APIKey, Auth, Basic, Bearer, ConfigurationError, Identity, errors
from flask_unauthorized.authentication.verification import identity_from_loader_result
from flask_unauthorized.loaders import StaticTokens
from tests.helpers import app_with_view

BEARER = {"Authorization": "Bearer good"}
BASIC = {"Authorization": "Basic YWRhOnB3"}  # ada:pw
KEY = {"X-API-Key": "good"}
SENT = {Bearer: BEARER, Basic: BASIC, APIKey: KEY}


@pytest.fixture
def build(make_app):
    """An app whose one scheme has the loader under test; 500s are answered, not raised."""

    def make(loader, scheme=Bearer, *, more=()):
        ran = []
        auth = Auth(scheme(loader), *more, realm="x")
        app = make_app(auth, PROPAGATE_EXCEPTIONS=False)

        @app.route("/", methods=["GET", "POST"])
        @auth.login_required
        def view():
            ran.append(auth.get_identity())
            return {"subject": auth.identity.subject, "body": request.get_data(as_text=True)}

        client = app.test_client(use_cookies=False)
        get = functools.partial(client.get, "/", headers=SENT[scheme])
        return SimpleNamespace(app=app, auth=auth, client=client, get=get, ran=ran)

    return make


def assert_500(api, response):
    assert response.status_code == 500
    assert "WWW-Authenticate" not in response.headers
    assert api.ran == []


class Falsy:
    def __bool__(self):
        return False


class Empty:
    def __len__(self):
        return 0


@dataclass
class NoFields:
    pass


class Row(NamedTuple):
    name: str


class Equal:
    def __eq__(self, other):
        return True

    __hash__ = object.__hash__


class Hostile:
    """Whoever touches it is told so."""

    def _refuse(self, *args):
        raise RuntimeError("touched")

    __bool__ = __eq__ = __ne__ = __len__ = __getattr__ = __repr__ = __str__ = _refuse
    __hash__ = object.__hash__


USERS = {
    "LDR-01-falsy": Falsy(), "LDR-01-empty": Empty(), "LDR-01-dataclass": NoFields(),
    "LDR-07-equal": Equal(), "LDR-08-hostile": Hostile(), "named-tuple": Row("ada"),
}  # fmt: skip


@pytest.mark.parametrize("number", [0, -1, -7, 0.0, 1.0, 2.5, 1j, True, False])
@pytest.mark.parametrize("scheme", [Bearer, APIKey])
def test_a_number_that_may_mean_no_is_a_mistake(build, scheme, number):  # F-22
    api = build(lambda *given: number, scheme)
    assert api.get().status_code == 500
    assert api.ran == []


@pytest.mark.parametrize("number", [1, 7, 2**70])
@pytest.mark.parametrize("scheme", [Bearer, APIKey])
def test_a_positive_int_is_a_subject(build, scheme, number):  # F-22
    api = build(lambda *given: number, scheme)
    assert api.get().status_code == 200
    assert [(identity.subject, identity.user) for identity in api.ran] == [(str(number), None)]


@pytest.mark.parametrize("number", [0, 0.0, 1, 7])
def test_a_number_is_a_mistake_where_the_credentials_name_the_subject(build, number):
    """``SELECT count(*)`` as the check of a password must let nobody in: what 0 means is open where False will do."""
    api = build(lambda *given: number, Basic)
    assert api.get().status_code == 500
    assert api.ran == []


@pytest.mark.parametrize("scheme", SENT)
@pytest.mark.parametrize("user", USERS.values(), ids=USERS)
def test_any_object_that_can_be_a_user_gets_in(build, scheme, user):
    api = build(lambda *given: user, scheme)
    assert api.get().status_code == 200
    assert api.ran[0].user is user


@pytest.mark.parametrize(
    ("scheme", "answer", "status"),
    [
        pytest.param(Basic, False, 401, id="LDR-02-Basic"),
        pytest.param(Bearer, False, 500, id="LDR-02-Bearer"),
        pytest.param(APIKey, False, 500, id="LDR-02-APIKey"),
        pytest.param(Basic, True, 200, id="LDR-03-Basic"),
        pytest.param(Bearer, True, 500, id="LDR-03-Bearer"),
        pytest.param(APIKey, True, 500, id="LDR-03-APIKey"),
        *(
            pytest.param(scheme, answer, status, id=f"{answer!r}-{scheme.__name__}")
            for scheme in SENT
            for answer, status in ((None, 401), ("ada", 200))
        ),
    ],
)
def test_none_true_false_and_subject(build, scheme, answer, status):
    api = build(lambda *given: answer, scheme)
    response = api.get()
    assert response.status_code == status
    assert ("WWW-Authenticate" in response.headers) is (status == 401)
    assert [identity.subject for identity in api.ran] == ["ada"] * (status == 200)


def test_wrong_bool_says_what_to_return_LDR_02(build):
    api = build(lambda token: False)
    api.app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(TypeError, match="None"):
        api.get()


def _generator():
    yield Identity("ada")


async def _async_generator():
    yield Identity("ada")


NO_USERS = {
    "LDR-04-empty-str": "", "LDR-04-bytes": b"ada", "LDR-05-tuple": (False, "bad"), "LDR-05-tuple-yes": (True, "ada"),
    "LDR-05-error": {"error": "bad"}, "LDR-05-inactive": {"active": False}, "LDR-05-list": [], "LDR-05-set": set(),
    "LDR-05-NotImplemented": NotImplemented, "LDR-05-Ellipsis": ..., "LDR-05-Response": Response("no", 403),
    "LDR-05-exception": ValueError("bad"), "LDR-05-AuthError": errors.InvalidCredentials(),
    "LDR-05-class": errors.InvalidCredentials, "function": _generator, "LDR-06-generator": _generator(),
    "LDR-06-async-generator": _async_generator(), "LDR-06-executor-future": concurrent.futures.Future(),
}  # fmt: skip


@pytest.mark.parametrize("scheme", [Bearer, Basic])
@pytest.mark.parametrize("answer", NO_USERS.values(), ids=NO_USERS)
def test_what_cannot_be_a_user_is_500_never_a_yes(build, answer, scheme):
    api = build(lambda *given: answer, scheme)
    assert_500(api, api.get())


class Id(int):
    pass


class Name(str):
    __slots__ = ()


class Level(enum.IntEnum):
    NONE = 0


class Role(str, enum.Enum):  # a subclass of str that prints as another text
    ADMIN = "admin"


# The cursor of a query is there whether or not a row was found: a loader that forgot `.fetchone()` opened to everybody.
ODD_NO_USERS = {
    "cursor": lambda: sqlite3.connect(":memory:").execute("SELECT 1 WHERE 0"), "map": lambda: map(str, []),
    "iterator": lambda: iter(()), "Decimal": lambda: decimal.Decimal(0), "Fraction": lambda: fractions.Fraction(1, 2),
    "int-subclass": lambda: Id(0), "int-enum": lambda: Level.NONE, "str-subclass": lambda: Name(""),
    "bytes-subclass": lambda: type("Octets", (bytes,), {})(), "list-subclass": lambda: type("Rows", (list,), {})(),
    "builtin": lambda: len,
}  # fmt: skip


@pytest.mark.parametrize("scheme", [Bearer, Basic])
@pytest.mark.parametrize("make", ODD_NO_USERS.values(), ids=ODD_NO_USERS)
def test_kinds_of_what_cannot_be_a_user_are_500_too(build, make, scheme):  # F-22
    answer = make()
    api = build(lambda *given: answer, scheme)
    assert_500(api, api.get())
    if isinstance(answer, sqlite3.Cursor):
        answer.connection.close()


def test_a_cursor_says_what_to_return():  # F-22
    with pytest.raises(TypeError, match=r"returned a list_iterator.*Take the first row"):
        identity_from_loader_result(iter([]), Bearer(lambda token: None), None)


@pytest.mark.parametrize(
    ("answer", "subject"), [(Id(7), "7"), (Name("ada"), "ada"), (Role.ADMIN, "admin")], ids=["int", "str", "enum"]
)
def test_a_kind_of_str_or_int_is_a_subject(build, answer, subject):  # F-22
    assert build(lambda token: answer).get().get_json()["subject"] == subject


@pytest.mark.parametrize("answer", [None, "ada"])
def test_coroutine_is_awaited_however_it_is_wrapped_LDR_06(build, answer):
    async def load(token):
        await asyncio.sleep(0)
        return answer

    @functools.wraps(load)
    def wrapped(*args):
        return load(*args)

    class Later:
        def __init__(self, token):
            self.token = token

        def __await__(self):
            return load(self.token).__await__()

    for loader in (load, lambda token: load(token), functools.partial(load), wrapped, Later):
        assert build(loader).get().status_code == (401 if answer is None else 200)


def test_async_loader_works_in_an_async_view(make_app):
    async def load(token):
        await asyncio.sleep(0)
        return request.headers["Authorization"][7:] if token == "good" else None

    auth = Auth(Bearer(load))
    app = make_app(auth)

    @app.get("/")
    @auth.login_required
    async def view():
        return auth.identity.subject

    client = app.test_client()
    assert client.get("/", headers=BEARER).text == "good"
    assert client.get("/", headers={"Authorization": "Bearer bad"}).status_code == 401


@pytest.mark.parametrize("scheme", SENT)
@pytest.mark.parametrize("error", [KeyError, ValueError, TimeoutError, ConnectionError, LookupError, StopIteration])
def test_exception_of_the_loader_is_500_LDR_09(build, scheme, error):
    def load(*given):
        raise error("not found")

    api = build(load, scheme)
    assert_500(api, api.get())


ANSWERS = {
    "LDR-10-401": (http.Unauthorized(), 401), "LDR-10-401-text": (http.Unauthorized("own words"), 401),
    "LDR-10-401-response": (http.Unauthorized(response=Response("bare", 401)), 401),
    "LDR-10-403": (http.Forbidden(), 403), "LDR-10-404": (http.NotFound(), 404), "LDR-10-418": (http.ImATeapot(), 418),
    "ours-401": (errors.InvalidCredentials(), 401), "ours-missing": (errors.MissingCredentials(), 401),
    "LDR-12-revoked": (errors.RevokedCredentials("retired"), 401), "ours-403": (errors.Forbidden(), 403),
    "ours-429": (errors.TooManyAttempts(retry_after=7), 429),
}  # fmt: skip


@pytest.mark.parametrize("scheme", SENT)
@pytest.mark.parametrize(("error", "status"), ANSWERS.values(), ids=ANSWERS)
def test_http_exceptions_of_the_loader(build, scheme, error, status):
    def load(*given):
        raise error

    api = build(load, scheme)
    response = api.get()
    assert (response.status_code, api.ran) == (status, [])
    if status == 401:
        assert response.headers["WWW-Authenticate"].startswith(f'{scheme.name} realm="x"')
        assert response.cache_control.no_store
    else:
        assert "WWW-Authenticate" not in response.headers
    assert response.headers.get("Retry-After") == ("7" if status == 429 else None)


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
def test_exit_propagates_and_leaves_nothing_half_set_LDR_11(build, error):
    def load(token):
        if token == "good":
            raise error
        return token

    api = build(load)
    with pytest.raises(error):
        api.get()
    assert api.client.get("/").status_code == 401
    assert api.client.get("/", headers={"Authorization": "Bearer bob"}).json["subject"] == "bob"
    assert [identity.subject for identity in api.ran] == ["bob"]


def test_slow_loader_holds_no_lock_LDR_13(build):
    entered, leave, answers = threading.Event(), threading.Event(), []

    def load(token):
        if token == "slow":
            entered.set()
            assert leave.wait(30)
        return token

    api = build(load)

    def ask():
        answers.append(api.app.test_client().get("/", headers={"Authorization": "Bearer slow"}).json["subject"])

    assert api.get().status_code == 200
    thread = threading.Thread(target=ask)
    thread.start()
    assert entered.wait(30)
    assert api.get().json["subject"] == "good"
    leave.set()
    thread.join(30)
    assert answers == ["slow"]


def test_nested_request_is_its_own_LDR_14(build):
    inner = []

    def load(token):
        if token == "good":
            nested = api.app.test_client()
            inner.append(nested.get("/", headers={"Authorization": "Bearer bob"}).json["subject"])
            inner.append(nested.get("/").status_code)
        return token

    api = build(load)
    assert api.get().json["subject"] == "good"
    assert inner == ["bob", 401]


@pytest.mark.parametrize("name", ["subject", "scopes", "user", "anything"])
def test_shared_identity_cannot_be_marked_LDR_15(build, name):
    ada = Identity("ada")
    api = build(lambda token: ada)
    assert [api.get().status_code, api.get().status_code] == [200, 200]
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        setattr(api.ran[0], name, "eve")
    assert ada == Identity("ada")


def test_body_and_context_survive_the_loader_LDR_16(build):
    def load(token):
        assert request.json == {"a": 1}
        with api.app.app_context(), Flask("other").test_request_context("/elsewhere"):
            assert request.path == "/elsewhere"
        assert request.path == "/"
        return token

    api = build(load)
    response = api.client.post("/", json={"a": 1}, headers=BEARER)
    assert response.json["subject"] == "good"
    assert '"a"' in response.json["body"]


class Loader:
    def load(self, token):
        return token

    async def __call__(self, token):
        return token


def _two(prefix, token):
    return token


@functools.wraps(_two)
def _wrapping(token):
    return token


del _wrapping.__wrapped__


@pytest.mark.parametrize(
    "loader",
    [
        pytest.param(lambda token: token, id="lambda"),
        pytest.param(functools.partial(_two, "x"), id="partial"),
        pytest.param(Loader().load, id="bound-method"),
        pytest.param(Loader().__call__, id="async-method"),
        pytest.param(Loader(), id="async-callable-object"),
        pytest.param(StaticTokens({"good": "good"}), id="callable-object"),
        pytest.param(_wrapping, id="wrapper"),
        pytest.param(lambda *given: given[0], id="star"),
        pytest.param(lambda token, strict=True: token, id="default"),
        pytest.param({"good": "good"}.get, id="builtin-method"),
        pytest.param(str, id="class"),
    ],
)
def test_any_callable_is_a_loader_LDR_17(build, loader):
    assert build(loader).get().json["subject"] == "good"


@pytest.mark.parametrize(
    "register",
    [lambda scheme, load: scheme(load), lambda scheme, load: scheme().loader(load)],
    ids=["call", "decorator"],
)
@pytest.mark.parametrize(
    ("scheme", "loader"),
    [(Bearer, lambda: None), (Bearer, lambda name, password: None), (Bearer, lambda *, token: None),
     (APIKey, lambda a, b: None), (Basic, lambda name: None), (Basic, lambda a, b, c: None), (Basic, Loader().load),
     (Bearer, functools.partial(_two, "x", "y")), (Bearer, "not callable"), (Bearer, {"token": "ada"})],
)  # fmt: skip
def test_wrong_signature_is_found_when_registering_LDR_18(scheme, loader, register):
    with pytest.raises(ConfigurationError):
        register(scheme, loader)


@pytest.mark.parametrize("scheme", SENT)
@pytest.mark.parametrize("with_credentials", [True, False])
def test_scheme_without_loader_is_found_at_the_first_request_LDR_19(make_app, scheme, with_credentials):
    auth = Auth(scheme())
    app = make_app(auth)
    app.add_url_rule("/", view_func=auth.login_required(lambda: "everybody"))
    with pytest.raises(ConfigurationError, match=scheme.__name__):
        app.test_client().get("/", headers=SENT[scheme] if with_credentials else {})
    with pytest.raises(ConfigurationError):
        auth.check(app)


@pytest.mark.parametrize("scheme", SENT)
def test_second_loader_is_refused_and_the_first_stays_LDR_20(build, scheme):
    api = build(lambda *given: "first", scheme)
    with pytest.raises(ConfigurationError):
        api.auth.schemes[0].loader(lambda *given: "second")
    assert api.get().json["subject"] == "first"


@pytest.mark.parametrize("error", [ValueError, KeyError, RuntimeError])
def test_no_fall_through_past_an_error_LDR_22(build, error):
    asked = []

    def load(token):
        raise error

    api = build(load, more=(APIKey(lambda key: asked.append(key) or "alice", cookie="session"),))
    response = api.client.get("/", headers={**BEARER, "Cookie": "session=good"})
    assert_500(api, response)
    assert asked == []


class LazyQuery:
    """Shaped as the queries of SQLAlchemy's ORM and of Django: not sent before somebody iterates."""

    def __iter__(self):
        return iter(())

    def filter(self, *conditions):
        return self


class Statement:
    """Shaped as `sqlalchemy.select(User)` and as the queries of peewee."""

    def where(self, *conditions):
        return self


@pytest.mark.parametrize("result", [LazyQuery(), Statement(), range(3), {}.keys(), {1: 2}.values(), {}.items(), pytest])
def test_ldr_a_query_that_was_not_sent_is_no_user(make_app, result):
    """It is there for every token: the ``.first()`` was forgotten."""
    auth = Auth(Bearer(lambda token: result))
    app = make_app(auth)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    with pytest.raises(TypeError, match="which cannot be a user"):
        app.test_client().get("/", headers={"Authorization": "Bearer invented"})


def test_a_user_object_of_basic_keeps_the_name_as_subject(make_app):
    class User:
        def __repr__(self):
            return "<user>"

    app = app_with_view(make_app, Auth(Basic(lambda name, password: User())))
    assert app.test_client().get("/", auth=("ada", "pw")).text == "ada <user>"
    app = app_with_view(make_app, Auth(Bearer(lambda token: User())))
    assert app.test_client().get("/", headers={"Authorization": "Bearer x"}).text == "None <user>"


@pytest.mark.parametrize(("said", "shown"), [("", "an empty str"), ({}, "a dict"), ((), "a tuple")])
def test_what_cannot_be_a_user_is_named(make_app, said, shown):
    app = app_with_view(make_app, Auth(Bearer(lambda token: said)))
    with pytest.raises(TypeError) as wrong:
        app.test_client().get("/", headers={"Authorization": "Bearer x"})
    assert str(wrong.value) == (
        f"the loader of Bearer returned {shown}, which cannot be a user: return an Identity, your user object, a "
        "non-empty subject, or None for no"
    )


@pytest.mark.parametrize("said", [True, False])
@pytest.mark.parametrize("scheme", [Bearer, APIKey])
def test_a_bool_for_a_token_is_told_what_to_return(build, scheme, said):
    """Flask-HTTPAuth's ``verify_token`` may return one: the first call says so, whether or not the token is valid."""
    api = build(lambda token: said, scheme)
    api.app.config["PROPAGATE_EXCEPTIONS"] = True
    with pytest.raises(TypeError) as wrong:
        api.get()
    assert str(wrong.value) == (
        f"the loader of {scheme.name} returned {said}, which names no caller: return an Identity, your user object or "
        "a non-empty subject for yes, and None for no"
    )


class Plain:
    pass


class Behind:
    """A user object that says that it is of another class, as Werkzeug's `LocalProxy` does."""

    def __init__(self, behind):
        self._behind = behind

    @property
    def __class__(self):
        return type(self._behind)


@pytest.mark.parametrize("answer", [Behind(Plain()), Plain()], ids=["proxy", "user"])
def test_an_object_of_the_app_is_the_user_each_time(build, answer):
    api = build(lambda token: answer)
    assert [api.get().status_code for _ in range(3)] == [200] * 3


@pytest.mark.parametrize("behind", [[], 0, {}, ""], ids=repr)
def test_what_a_proxy_stands_for_counts_and_not_its_class(build, behind):
    assert build(lambda token: Behind(Plain())).get().status_code == 200  # the class of the proxy is known from here on
    api = build(lambda token: Behind(behind))
    assert_500(api, api.get())
