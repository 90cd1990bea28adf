"""Requirements: what levels demand together, and which of it is refused at once."""

import time
from datetime import timedelta

import pytest
from flask import Blueprint, Flask

from flask_unauthorized import Auth, Bearer, ConfigurationError, Identity, StepUpRequired, any_of
from flask_unauthorized.policy.requirement import Requirement, challenge_scopes_of, combine_decorators, inherit


@pytest.mark.rfc("SU-03")
def test_max_age_may_be_a_timedelta(auth, make_app):
    app = make_app(auth)
    app.add_url_rule("/", "index", auth.login_required(max_age=timedelta(minutes=5))(lambda: "x"))
    response = app.test_client().get("/", headers={"Authorization": "Bearer good"})
    assert response.status_code == 401
    assert 'max_age="300"' in response.headers["WWW-Authenticate"]


@pytest.mark.parametrize("max_age", [-1, 1.5, "60", True])
def test_max_age_is_a_whole_number_of_seconds(auth, max_age):
    with pytest.raises((TypeError, ConfigurationError), match="max_age must be"):
        auth.login_required(max_age=max_age)
    with pytest.raises((TypeError, ValueError), match="max_age must be"):
        StepUpRequired(max_age=max_age)


def test_any_of_is_a_value():
    assert any_of("a", "b", "a") == any_of("a", "b")
    assert any_of("a", "b") != any_of("b", "a")
    assert repr(any_of("a", "b")) == "any_of('a', 'b')"
    with pytest.raises(TypeError):
        any_of("a", 5)


def test_stacked_requirements_narrow_and_add():
    first = Requirement(via=("x", "y"), scopes=frozenset({("a",)}), acr=("gold", "tin"), max_age=60, optional=True)
    second = Requirement(via=("y", "z"), scopes=frozenset({("b", "c")}), acr=("tin",), max_age=30)
    both = combine_decorators([first, second])
    assert both == Requirement(("y",), frozenset({("a",), ("b", "c")}), frozenset(), ("tin",), 30, False)
    assert hash(both) == hash(combine_decorators([first, second]))
    assert challenge_scopes_of(both.scopes) == ("a", "b")
    with pytest.raises(ConfigurationError):
        combine_decorators([first, Requirement(via=("z",))])
    for pair in ([first, Requirement()], [Requirement(), first]):
        assert combine_decorators(pair).via == ("x", "y")


def test_nested_requirements_take_the_nearest_via_and_add_the_rest():
    outer = Requirement(via=("x",), roles=frozenset({("boss",)}), max_age=30)
    inner = Requirement(via=("y",), roles=frozenset({("user",)}), max_age=60, optional=True)
    both = inherit([outer, inner])
    assert both == Requirement(("y",), frozenset(), frozenset({("boss",), ("user",)}), (), 30, True)
    assert inherit([outer, Requirement()]).via == ("x",)
    assert not inherit([inner, outer]).optional


def test_the_error_for_a_bare_string_of_scopes_names_the_set_that_was_meant() -> None:
    auth = Auth(Bearer(lambda token: None))
    with pytest.raises(TypeError, match=r'scopes=\{"read", "write"\}'):
        auth.login_required(scopes="read write")
    with pytest.raises(TypeError, match=r'roles=\{"admin"\}'):
        Identity("ada", roles="admin")


TOKENS = {name: Identity("ada", acr=name, auth_time=time.time()) for name in ("gold", "silver", "bronze")}


def statuses(app):
    client = app.test_client()
    return {name: client.get("/", headers={"Authorization": f"Bearer {name}"}).status_code for name in TOKENS}


# T-03: each level may narrow what another one accepts, and none may widen it.
@pytest.mark.parametrize("levels", ["stacked", "blueprint", "app", "require"])
@pytest.mark.parametrize(
    ("outer", "inner"), [(["gold", "silver"], ["silver", "bronze"]), (["silver", "bronze"], ["gold", "silver"])]
)
def test_acr_of_two_levels_is_what_both_accept(make_app, levels, outer, inner):
    auth = Auth(Bearer(TOKENS.get))
    app = make_app(auth)
    blueprint = Blueprint("pages", __name__)
    view = auth.login_required(acr=inner)(lambda: "in")
    if levels == "stacked":
        view = auth.login_required(acr=outer)(view)
    elif levels == "blueprint":
        auth.protect(blueprint, acr=outer)
    elif levels == "app":
        auth.protect(app, acr=outer)
    else:
        view = auth.login_required(acr=outer)(lambda: auth.require(acr=inner) and "in")
    blueprint.add_url_rule("/", "view", view)
    app.register_blueprint(blueprint)
    assert statuses(app) == {"gold": 401, "silver": 200, "bronze": 401}
    if levels == "require":
        return  # the view's own demand is judged first, and alone
    (challenge,) = (
        app.test_client().get("/", headers={"Authorization": "Bearer gold"}).headers.getlist("WWW-Authenticate")
    )
    assert 'acr_values="silver"' in challenge


# T-03
@pytest.mark.parametrize("levels", ["stacked", "app"])
def test_acr_of_two_levels_that_share_none_is_refused_at_once(levels):
    auth = Auth(Bearer(TOKENS.get))
    app = Flask("app")
    auth.init_app(app)
    with pytest.raises(ConfigurationError, match=r"gold.*bronze|bronze.*gold"):  # noqa: PT012
        view = auth.login_required(acr="gold")(lambda: "in")
        if levels == "stacked":
            view = auth.login_required(acr="bronze")(view)
        else:
            auth.protect(app, acr="bronze")
        app.add_url_rule("/", "view", view)
        auth.check(app)


# T-03
@pytest.mark.parametrize("levels", ["decorator", "optional", "blueprint", "app", "require"])
@pytest.mark.parametrize("by_tuple", [True, False])
def test_via_names_schemes_of_this_auth_only(make_app, levels, by_tuple):
    """A scheme of another Auth, equal in all, would be asked although nobody checked it for this app."""
    own, foreign = Bearer(TOKENS.get), Bearer(TOKENS.get)
    Auth(foreign)
    auth = Auth(own)
    app = make_app(auth)
    via = (own, foreign) if by_tuple else foreign
    with pytest.raises(ConfigurationError, match="via"):  # noqa: PT012
        if levels == "decorator":
            auth.login_required(via=via)
        elif levels == "optional":
            auth.login_optional(via=via)
        elif levels == "blueprint":
            auth.protect(Blueprint("pages", __name__), via=via)
        elif levels == "app":
            auth.protect(app, via=via)
        else:
            with app.test_request_context():
                auth.require(via=via)
