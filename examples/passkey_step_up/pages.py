"""The pages: login, logout, and one that opens only for people who have just confirmed with a passkey."""

from flask import Blueprint, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from . import database
from .auth import FRESH, PASSKEY, auth, check_password

blueprint = Blueprint("pages", __name__)
Page = str | Response | tuple[str, int]


@blueprint.app_context_processor
def _caller() -> dict[str, object]:
    return {"user": auth.get_user()}


@blueprint.get("/")
def home() -> Page:
    return render_template("home.html")


@blueprint.get("/payouts")
@auth.login_required(acr=PASSKEY, max_age=FRESH)
def payouts() -> Page:
    return render_template("payouts.html", level=auth.identity.acr)


@blueprint.route("/login", methods=["GET", "POST"])
@auth.public
def login() -> Page:
    """The way to all pages, also for people who are logged in already and have to prove it once more."""
    if request.method == "GET":
        user = auth.get_user()
        if user is not None and database.passkeys_of(user):
            return redirect(url_for("passkeys.step_up", next=request.args.get("next")))
        return render_template("login.html", name="" if user is None else user.name, errors={})
    name, password = request.form.get("name", "").strip(), request.form.get("password", "")
    user = check_password(name, password)
    if user is None:
        # One text for both, so that callers can't learn which names exist.
        return render_template("login.html", name=name, errors={"form": "The name or the password is wrong."}), 422
    auth.login(user)  # without acr=: a password alone opens no page that demands a level
    return redirect(auth.next_url(url_for("pages.home")))


@blueprint.post("/logout")
@auth.public  # also for people who are logged out already
def logout() -> Page:
    auth.logout()
    flash("You are logged out.")
    return redirect(url_for("pages.login"))
