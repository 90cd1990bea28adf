"""The API that static/notes.js uses. Without a login it responds with 401 in JSON, not with a redirect."""

from flask import Blueprint, request

from . import database
from .auth import auth

blueprint = Blueprint("api", __name__, url_prefix="/api")
Answer = dict[str, object] | tuple[dict[str, object] | str, int]


@blueprint.get("/notes")
def read_notes() -> Answer:
    return {"notes": database.notes_of(auth.user, request.args.get("q", ""))}


@blueprint.post("/notes")
def add_note() -> Answer:
    sent = request.get_json(silent=True)
    text = sent.get("text") if isinstance(sent, dict) else None
    if not isinstance(text, str) or not 1 <= len(text.strip()) <= 200:
        return {"error": "Bad Request", "message": "A note has 1 to 200 characters."}, 400
    return database.add_note(auth.user, text.strip()), 201


@blueprint.delete("/notes/<int:number>")
def delete_note(number: int) -> Answer:
    if not database.delete_note(auth.user, number):
        return {"error": "Not Found", "message": "This note is gone."}, 404
    return "", 204
