"""The console: pages for operators, who log in with a password. `create_app` demands it for the whole blueprint."""

from flask import Blueprint
from markupsafe import escape

from flask_unauthorized import current_identity

from .auth import password

__all__ = ["blueprint", "password"]

blueprint = Blueprint("console", __name__, url_prefix="/console")


@blueprint.get("/")
def index() -> str:
    return f'<!doctype html><html lang="en"><title>Console</title><p>Hello {escape(current_identity.subject)}</p>'
