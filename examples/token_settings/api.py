"""The API for programs. They send a token as ``Authorization: Bearer …`` or as ``X-API-Key: …``."""

from flask import Blueprint, request

from . import database
from .auth import auth

blueprint = Blueprint("api", __name__, url_prefix="/api")
Answer = dict[str, object] | tuple[dict[str, object], int]


@blueprint.get("/notes")
@auth.login_required(scopes={"notes:read"})
def read_notes() -> Answer:
    return {"notes": database.notes_of(auth.user)}


@blueprint.post("/notes")
@auth.login_required(scopes={"notes:write"})
def add_note() -> Answer:
    sent = request.get_json(silent=True)
    text = sent.get("text") if isinstance(sent, dict) else None
    if not isinstance(text, str) or not 1 <= len(text.strip()) <= 200:
        return {"error": "Bad Request", "message": "A note has 1 to 200 characters."}, 400
    return database.add_note(auth.user, text.strip()), 201
