"""Plain HTTP: what is refused, and which proxy is believed."""

import pytest
from werkzeug.middleware.proxy_fix import ProxyFix

from flask_unauthorized import Auth, Bearer, Identity

GOOD = {"Authorization": "Bearer good"}


@pytest.mark.rfc("S-05", "H-37")
def test_forwarded_fields_count_only_where_the_app_trusts_a_proxy(make_app, auth):
    app = make_app(auth, UNAUTHORIZED_REQUIRE_HTTPS=True)
    app.add_url_rule("/", "view", auth.login_required(lambda: "fine"))
    forwarded = {**GOOD, "X-Forwarded-Proto": "https", "Forwarded": "proto=https"}
    assert app.test_client().get("/", headers=forwarded).status_code == 403
    app.wsgi_app = ProxyFix(app.wsgi_app, x_proto=1)
    assert app.test_client().get("/", headers=forwarded).status_code == 200


def test_who_came_without_https_is_told_what_to_do(make_app):
    auth = Auth(Bearer({"plain": Identity("ada")}.get))
    app = make_app(auth, UNAUTHORIZED_REQUIRE_HTTPS=True)
    app.add_url_rule("/", "view", auth.login_required(lambda: "in"))
    assert app.test_client().get("/", headers={"Authorization": "Bearer plain"}).json["message"] == "Use HTTPS."
