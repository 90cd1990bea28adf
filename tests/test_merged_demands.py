"""What levels demand together, and which of it is refused at once."""

import time

import pytest
from flask import Blueprint, Flask

from flask_unauthorized import Auth, Bearer, ConfigurationError, Identity

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


# T-03
@pytest.mark.parametrize("accept", ["application/x-own", "text/html", "application/json", None])
@pytest.mark.parametrize("status", [401, 400, 403, 503])
def test_every_refusal_depends_on_accept_also_by_a_renderer_of_the_apps(make_app, accept, status):
    """RFC 9110 §12.5.5: the body was chosen by Accept, so a cache that keys without it answers wrongly."""

    def load(token):
        if token == "down":
            raise ConnectionError
        return Identity("ada")

    auth = Auth(Bearer(load), unavailable=(ConnectionError,))
    app = make_app(auth)

    @auth.renderer("application/x-own")
    def render(error):
        return f"own: {error.code}"

    app.add_url_rule("/", "view", auth.login_required(roles={"boss"})(lambda: "in"))
    sent = {401: {}, 400: {"Authorization": "Bearer a b"}, 503: {"Authorization": "Bearer down"}}
    headers = sent.get(status, {"Authorization": "Bearer good"})
    response = app.test_client().get("/", headers=headers | ({"Accept": accept} if accept else {}))
    assert response.status_code == status
    assert (response.mimetype == "application/x-own") == (accept == "application/x-own")
    assert "Accept" in [name.strip() for name in response.headers["Vary"].split(",")]
