"""Groups of exceptions (Python 3.11): one that holds refusals only is answered as its first one. F-08."""

import asyncio
import builtins
import sys

import pytest
from flask import Blueprint, abort

from flask_unauthorized import (
    Auth,
    AuthUnavailable,
    Bearer,
    Forbidden,
    Identity,
    InvalidCredentials,
    MissingCredentials,
    Unauthorized,
    abort_forbidden,
    abort_unauthorized,
)
from tests.helpers import challenge_lines

if sys.version_info < (3, 11):
    pytest.skip("Python 3.10 has no exception groups", allow_module_level=True)
Group = builtins.ExceptionGroup

GOOD = {"Authorization": "Bearer good"}


@pytest.fixture
def auth():
    return Auth(Bearer(lambda token: Identity("ada") if token == "good" else None))


async def in_tasks(*functions):
    """Runs each function in a task of one group."""

    async def run(function):
        await asyncio.sleep(0)
        function()

    async with asyncio.TaskGroup() as group:
        for function in functions:
            group.create_task(run(function))


def raises(error):
    def fail():
        raise error

    return fail


def in_group(*errors, nested=False):
    group = Group("several", errors)
    raise Group("outer", [group]) if nested else group


PLACES = ["open", "guarded", "optional", "protected", "hook", "blueprint"]


def serve(app, auth, place, view):
    """The view at ``/``, in one of the places where a group can come from."""
    guards = {"guarded": auth.login_required, "optional": auth.login_optional, "blueprint": auth.login_required}
    if place == "hook":
        app.before_request(view)
        app.add_url_rule("/", "view", lambda: "fine")
    elif place == "blueprint":
        blueprint = Blueprint("part", __name__)
        blueprint.errorhandler(Exception)(lambda error: ("the blueprint's own", 500))
        blueprint.add_url_rule("/", "view", auth.login_required(view))
        app.register_blueprint(blueprint)
    else:
        app.add_url_rule("/", "view", guards.get(place, lambda view: view)(view))
    if place == "protected":
        auth.protect(app)
    return app.test_client().get("/", headers=GOOD)


@pytest.mark.parametrize("place", PLACES)
def test_abort_unauthorized_in_a_task_group(make_app, auth, place):
    async def view():
        await in_tasks(lambda: abort_unauthorized(error=MissingCredentials))

    response = serve(make_app(auth, PROPAGATE_EXCEPTIONS=False), auth, place, view)
    assert response.status_code == 401
    assert len(challenge_lines(response)) == 1
    assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
def test_the_first_of_several_decides(make_app, auth, place, nested):
    def view():
        in_group(InvalidCredentials("the first"), Forbidden("the second"), nested=nested)

    response = serve(make_app(auth), auth, place, view)
    assert (response.status_code, response.json["message"]) == (401, "the first")
    assert 'error="invalid_token"' in challenge_lines(response)[0]


def test_the_first_decides_though_another_was_completed_after_it(make_app, auth):
    async def view():
        await in_tasks(lambda: abort_unauthorized("first"), lambda: abort_forbidden("second"))

    response = serve(make_app(auth), auth, "guarded", view)
    assert (response.status_code, response.json["message"]) == (401, "first")
    assert challenge_lines(response)


def test_an_outage_first_is_503(make_app, auth):
    response = serve(
        make_app(auth), auth, "open", lambda: in_group(AuthUnavailable(retry_after=7), InvalidCredentials())
    )
    assert (response.status_code, response.headers["Retry-After"]) == (503, "7")
    assert not challenge_lines(response)


@pytest.mark.parametrize("place", ["open", "guarded", "protected", "hook"])
@pytest.mark.parametrize(
    "others",
    [(ValueError("bug"),), (InvalidCredentials(), ValueError("bug")), (ValueError("bug"), InvalidCredentials())],
)
def test_anything_else_in_the_group_stays_a_500(make_app, auth, place, others):
    app = make_app(auth, PROPAGATE_EXCEPTIONS=False, TESTING=False)
    assert serve(app, auth, place, lambda: in_group(*others)).status_code == 500


def test_abort_404_beside_a_refusal_is_no_refusal(make_app, auth):
    async def view():
        await in_tasks(lambda: abort(404), abort_unauthorized)

    app = make_app(auth, PROPAGATE_EXCEPTIONS=False, TESTING=False)
    assert serve(app, auth, "open", view).status_code == 500


def test_the_group_itself_comes_out_where_the_app_propagates(make_app, auth):
    with pytest.raises(Group, match="several"):
        serve(make_app(auth), auth, "guarded", lambda: in_group(ValueError("bug"), InvalidCredentials()))


# --- handlers of the app


@pytest.mark.parametrize("kind", [401, Unauthorized, InvalidCredentials])
@pytest.mark.parametrize("place", ["open", "guarded"])
def test_the_handler_for_the_first_error_makes_the_body(make_app, auth, kind, place):
    app = make_app(auth)
    app.register_error_handler(kind, lambda error: ("own body", 401))
    response = serve(app, auth, place, lambda: in_group(InvalidCredentials(), Forbidden()))
    assert (response.status_code, response.text) == (401, "own body")
    assert challenge_lines(response)


@pytest.mark.parametrize("early", [True, False], ids=["before-init_app", "after-init_app"])
@pytest.mark.parametrize("kind", [Exception, Group])
def test_the_apps_handler_for_all_errors_gets_the_other_groups(make_app, auth, early, kind):
    app = make_app(None if early else auth)
    app.register_error_handler(kind, lambda error: (type(error).__name__, 418))
    if early:
        auth.init_app(app)
    response = serve(app, auth, "open", lambda: in_group(ValueError("bug")))
    assert (response.status_code, response.text) == (418, "ExceptionGroup")


def test_a_loader_that_asks_in_a_task_group(make_app):
    async def load(token):
        await in_tasks(raises(InvalidCredentials(reason="revoked")))

    auth = Auth(Bearer(load))
    response = serve(make_app(auth), auth, "guarded", lambda: "fine")
    assert response.status_code == 401
    assert 'error="invalid_token"' in challenge_lines(response)[0]


def test_each_error_is_logged_once(make_app, auth, caplog):
    async def view():
        await in_tasks(abort_unauthorized, lambda: abort_forbidden("second"))

    with caplog.at_level("INFO", "flask_unauthorized"):
        serve(make_app(auth), auth, "guarded", view)
    told = [record.args[1] for record in caplog.records if record.msg.startswith("refused")]
    assert sorted(told) == ["Forbidden", "MissingCredentials"]
