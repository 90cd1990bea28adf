"""A whole app by its request fields: see README.md."""

import logging
import sys

import atheris

with atheris.instrument_imports(include=["flask_unauthorized"]):
    from flask import Flask

    from flask_unauthorized import APIKey, Auth, Basic, Bearer, Identity
    from flask_unauthorized.testing import assert_sound

logging.disable(logging.CRITICAL)
FIELDS = (
    "Authorization",
    "X-API-Key",
    "Accept",
    "Accept-Language",
    "Cookie",
    "Origin",
    "Sec-Fetch-Site",
    "Vary",
    "Host",
)
STATUSES = {200, 400, 401, 403, 405}
app = Flask("fuzz")
app.config["PROPAGATE_EXCEPTIONS"] = True
auth = Auth(
    Bearer({"good": Identity("ada")}.get, form=True, query=True),
    Basic(lambda name, password: Identity(name) if name and password == "good" else None, latin1=True),
    APIKey({"good": Identity("ada")}.get),
    APIKey({"good": Identity("ada")}.get, cookie="session", realm="cookies"),
)
auth.init_app(app)


@app.route("/required", methods=["GET", "POST", "OPTIONS"])
@auth.login_required
def required() -> str:
    assert auth.get_identity() is not None
    return "in"


@app.route("/optional", methods=["GET", "POST"])
@auth.login_optional(scopes={"a"})
def optional() -> str:
    return str(auth.get_identity())


@app.get("/bare")
def bare() -> tuple[str, int]:
    return "", 401


def one_input(data: bytes) -> None:
    given = atheris.FuzzedDataProvider(data)
    path = given.PickValueInList(["/required", "/optional", "/bare"])
    method = given.PickValueInList(["GET", "POST", "HEAD", "OPTIONS"])
    environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "QUERY_STRING": ""}
    for _ in range(given.ConsumeIntInRange(0, 4)):
        field = given.PickValueInList(list(FIELDS))
        value = given.ConsumeBytes(given.ConsumeIntInRange(0, 400)).decode("latin-1")
        if field != "Host" and not {"\r", "\n", "\0"} & set(value):
            environ["HTTP_" + field.upper().replace("-", "_")] = value
    if given.ConsumeBool():
        environ["QUERY_STRING"] = "access_token=" + given.ConsumeBytes(60).decode("latin-1")
    if given.ConsumeBool():
        environ["CONTENT_TYPE"] = "application/x-www-form-urlencoded"
    body = given.ConsumeBytes(300)
    response = app.test_client(use_cookies=False).open(
        environ_overrides=environ, method=method, path=path, data=body, content_type=environ.get("CONTENT_TYPE")
    )
    assert response.status_code in STATUSES, response.status
    assert_sound(response)
    if path == "/required" and response.status_code == 200 and method != "OPTIONS":
        assert "good" in str(environ) + body.decode("latin-1") or "Z29vZA" in str(environ) or "Basic" in str(environ)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
