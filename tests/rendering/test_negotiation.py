"""Which body a refusal has."""

import pytest

from flask_unauthorized import Auth, Bearer, Identity


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
