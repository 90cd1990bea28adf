"""The pages of errors. They show who is logged in, as all pages do. The API answers in JSON.

The refusals of the extension have its own page, because a handler for all errors would replace that. One refusal has
a page here: that of a login which was used in a second place.
"""

from flask import Flask, json, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response

from flask_unauthorized import SessionStolen

Answer = tuple[str | dict[str, object], int] | Response


def register(app: Flask) -> None:
    app.register_error_handler(SessionStolen, _used_in_a_second_place)
    for status in (404, 405, 413, 500):
        app.register_error_handler(status, _failed)


def _used_in_a_second_place(error: SessionStolen) -> Answer:
    if _is_api():
        return {"error": "Unauthorized", "message": str(error.message)}, 401
    return render_template("stolen.html"), 401


def _failed(error: HTTPException) -> Answer:
    response = error.get_response()  # with its headers, such as Allow of a 405
    if _is_api():
        response.data = json.dumps({"error": error.name, "message": error.description})
        response.content_type = "application/json"
    else:
        response.data = render_template("error.html", error=error)
    return response


def _is_api() -> bool:
    return request.path.startswith("/api/")
