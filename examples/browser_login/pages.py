"""The pages. Forms need no tokens: the extension refuses what another site sends."""

import re

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from . import database
from .auth import auth, check_password

blueprint = Blueprint("pages", __name__)
Page = str | Response | tuple[str, int]
FRESH = 300
"""Seconds after a login in which the account may be changed."""


@blueprint.app_context_processor
def _caller() -> dict[str, object]:
    return {"user": auth.get_user()}


@blueprint.get("/")
def notes() -> Page:
    return render_template("notes.html")


@blueprint.route("/login", methods=["GET", "POST"])
@auth.public
def login() -> Page:
    """The way in: for visitors, for those whose session is over, and for those who have to prove it once more."""
    if request.method == "GET":
        return render_template("login.html", name=session.get("name", ""), errors={})
    name, password = request.form.get("name", "").strip(), request.form.get("password", "")
    user = check_password(name, password)
    if user is None:
        # One text for both, so that callers can't learn which names exist.
        return render_template("login.html", name=name, errors={"form": "The name or the password is wrong."}), 422
    _enter(user)
    return redirect(auth.next_url(url_for("pages.notes")))


@blueprint.post("/logout")
@auth.public  # also for who is logged out already
def logout() -> Page:
    auth.logout()
    flash("You are logged out.")
    return redirect(url_for("pages.login"))


@blueprint.route("/register", methods=["GET", "POST"])
@auth.public
def register() -> Page:
    if request.method == "GET":
        return render_template("register.html", name="", errors={})
    name, password = request.form.get("name", "").strip(), request.form.get("password", "")
    errors = _problems(password)
    if not re.fullmatch(r"[A-Za-z0-9._-]{2,32}", name):
        errors["name"] = "Use 2 to 32 letters, digits, dots, hyphens or underscores."
    user = None if errors else database.add_user(name, check_password.hash(password))
    if user is None:
        errors = errors or {"name": "This name is already in use."}
        return render_template("register.html", name=name, errors=errors), 422
    _enter(user)
    flash(f"Welcome, {user.name}.")
    return redirect(auth.next_url(url_for("pages.notes")))


@blueprint.get("/account")
@auth.login_required(max_age=FRESH)
def account() -> Page:
    return render_template("account.html", errors={})


@blueprint.post("/account/password")
@auth.login_required(max_age=FRESH)
def change_password() -> Page:
    password = request.form.get("password", "")
    errors = _problems(password)
    if errors:
        return render_template("account.html", errors=errors), 422
    user = auth.user
    database.set_password(user, check_password.hash(password))
    auth.end_sessions(user)  # on all devices,
    _enter(user)  # and this one begins anew
    flash("Your password is changed, and you are logged out everywhere else.")
    return redirect(url_for("pages.account"))


@blueprint.post("/account/delete")
@auth.login_required(max_age=FRESH)
def delete_account() -> Page:
    database.delete_user(auth.user)
    auth.logout()
    flash("Your account and your notes are deleted.")
    return redirect(url_for("pages.register"))


def _enter(user: database.User) -> None:
    auth.login(user)
    session["name"] = user.name  # fills in the login form next time; who is logged in is not read from here


def _problems(password: str) -> dict[str, str]:
    if not 10 <= len(password) <= 200:
        return {"password": "Use 10 to 200 characters. Several words are fine."}
    return {}
