"""The pages. Forms need no anti-CSRF tokens: the extension refuses what another site sends.

A token is in the response to the form that made it, and nowhere else: not in a URL, a redirect or the session. If a
browser loads this response again, it sends the form again. So each form makes one token only:

- The form for a new token has a random number, which is noted in the database.
- The form that replaces a token fails the second time with `AlreadyRotated`.

If the response got lost, or that to a second click took its place, the second one offers another token. The token that
its owner didn't see is replaced then, without an overlap.
"""

import re
import secrets
from datetime import datetime, timedelta

from flask import Blueprint, abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from flask_unauthorized.loaders.stored import AlreadyRotated, Issued, TokenEnded, TokenRecord, UnknownToken

from . import database
from .auth import auth, check_password, throttle, tokens

blueprint = Blueprint("pages", __name__)
Page = str | Response | tuple[str, int]
LIFETIMES = {"7": "7 days", "30": "30 days", "90": "90 days", "365": "1 year"}
OVERLAPS = {"24": "24 hours", "1": "1 hour", "0": "no longer, because it leaked"}


@blueprint.app_context_processor
def _caller() -> dict[str, object]:
    return {"user": auth.get_user()}


@blueprint.app_template_filter()
def moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"


@blueprint.get("/")
def home() -> Page:
    return redirect(url_for("pages.list_tokens"))


@blueprint.route("/login", methods=["GET", "POST"])
@auth.public
def login() -> Page:
    if request.method == "GET":
        return render_template("login.html", name="", errors={})
    name, password = request.form.get("name", "").strip(), request.form.get("password", "")
    with throttle.attempt(name) as attempt:  # beyond the limit: 429, and no password is hashed
        identity = check_password(name, password)
        if identity is None:
            # One text for both, so that callers can't learn which names exist.
            return render_template("login.html", name=name, errors={"form": "The name or the password is wrong."}), 422
        attempt.succeeded()
    auth.login(identity)
    return redirect(auth.next_url(url_for("pages.list_tokens")))


@blueprint.post("/logout")
@auth.public  # also for those who are logged out already
def logout() -> Page:
    auth.logout()
    flash("You are logged out.")
    return redirect(url_for("pages.login"))


# --- tokens: each method of `tokens` gets the caller, so a user can't reach the tokens of another one


@blueprint.get("/tokens")
def list_tokens() -> Page:
    return _list({})


@blueprint.get("/tokens/<path:_rest>")
def back_to_the_list(_rest: str) -> Page:
    """The browser opens the address of a form's response again, without the form."""
    return redirect(url_for("pages.list_tokens"))


@blueprint.post("/tokens")
def make_token() -> Page:
    user, form, days = auth.user, request.form.get("form", ""), request.form.get("days", "")
    if not re.fullmatch(r"[0-9a-f]{32}", form) or days not in LIFETIMES:
        abort(400)
    if not database.claim_form(user, form):
        number = database.token_of_form(user, form)
        return _shown_before(None if number is None else tokens.get(number, auth.identity))
    try:
        issued = tokens.issue(
            auth.identity,
            name=request.form.get("name", ""),
            scopes=request.form.getlist("scope"),
            lifetime=timedelta(days=int(days)),
        )
    except ValueError as error:  # a name or a scope that can't be used, or too many tokens
        database.release_form(user, form)
        return _refused(error)
    database.finish_form(user, form, issued.record.id)
    return _shown(issued)


@blueprint.post("/tokens/<int:number>/rotate")
def rotate_token(number: int) -> Page:
    hours = request.form.get("hours", "")
    if hours not in OVERLAPS:
        abort(400)
    try:
        issued = tokens.rotate(number, auth.identity, overlap=timedelta(hours=int(hours)))
    except UnknownToken:
        abort(404)
    except AlreadyRotated as error:
        return _shown_before(error.successor)
    except TokenEnded as error:
        flash(f"“{error.record.name}” has ended. Create a new token.")
        return redirect(url_for("pages.list_tokens"))
    except ValueError as error:  # the owner lacks a scope of the token now
        return _refused(error)
    return _shown(issued)


@blueprint.post("/tokens/<int:number>/revoke")
def revoke_token(number: int) -> Page:
    record = tokens.get(number, auth.identity)
    if record is None:
        abort(404)
    ended = tokens.revoke(number, auth.identity)
    flash(f"“{record.name}” is revoked." if ended else f"“{record.name}” had ended before.")
    return redirect(url_for("pages.list_tokens"))


@blueprint.post("/tokens/revoke-all")
def revoke_all_tokens() -> Page:
    tokens.revoke_all(auth.identity)
    flash("All your tokens are revoked.")
    return redirect(url_for("pages.list_tokens"))


def _list(errors: dict[str, str]) -> str:
    identity = auth.identity
    return render_template(
        "tokens.html",
        records=tokens.list(identity),
        scopes=sorted(identity.scopes),
        form=secrets.token_hex(16),
        sent=request.form,
        lifetimes=LIFETIMES,
        overlaps=OVERLAPS,
        errors=errors,
    )


def _refused(error: ValueError) -> Page:
    """Show the list with a text of `StoredTokens`, which is made for people."""
    message = str(error)
    return _list({"form": f"{message[:1].upper()}{message[1:]}."}), 422


def _shown(issued: Issued) -> Page:
    return render_template("shown_once.html", token=issued.token, record=issued.record, errors={}), 201


def _shown_before(record: TokenRecord | None) -> Page:
    return render_template("shown_before.html", record=record, errors={}), 409
