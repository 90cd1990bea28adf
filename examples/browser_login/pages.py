"""The pages. Forms need no tokens: the extension refuses what another site sends."""

import re
from datetime import datetime, timezone

from flask import Blueprint, flash, redirect, render_template, request, session, url_for
from werkzeug.wrappers import Response

from . import database
from .auth import auth, check_password

blueprint = Blueprint("pages", __name__)
Page = str | Response | tuple[str, int]
FRESH = 300
"""Seconds after a login in which the account may be changed."""
# Some browsers name others as well, so the first mark that is found counts.
BROWSERS = {"Edg": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Version/": "Safari"}
SYSTEMS = {
    "Android": "Android", "iPhone": "iPhone", "iPad": "iPad", "Windows": "Windows", "Mac OS": "Mac", "Linux": "Linux",
}  # fmt: skip


@blueprint.app_context_processor
def _caller() -> dict[str, object]:
    """What all pages show, open ones and those of errors too."""
    user = auth.get_user()
    return {"user": user, "alarm": None if user is None else database.alarm_of(user)}


@blueprint.get("/")
def notes() -> Page:
    return render_template("notes.html")


@blueprint.route("/login", methods=["GET", "POST"])
@auth.public
def login() -> Page:
    """The way in: for visitors, for those whose session has ended, and for those who have to prove it once more."""
    if request.method == "GET":
        return render_template("login.html", name=session.get("name", ""), errors={})
    name, password = request.form.get("name", "").strip(), request.form.get("password", "")
    user = check_password(name, password)
    if user is None:
        # One text for both, so that callers can't learn which names exist.
        return render_template("login.html", name=name, errors={"form": "The name or the password is wrong."}), 422
    remember = "remember" in request.form
    if user == auth.get_user() and not remember:
        auth.confirm()  # the same user once more: the session goes on, and a remembered login stays remembered
    else:
        _enter(user, remember=remember)
    return redirect(auth.next_url(url_for("pages.notes")))


@blueprint.post("/logout")
@auth.public  # also for people who are logged out already
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
    remember = any(device.current and device.remembered for device in auth.sessions(user))
    database.set_password(user, check_password.hash(password))
    database.dismiss_alarm(user)
    auth.end_sessions(user)  # on all devices,
    _enter(user, remember=remember)  # and this one begins anew
    flash("Your password is changed, and you are logged out everywhere else.")
    return redirect(url_for("pages.account"))


@blueprint.post("/account/delete")
@auth.login_required(max_age=FRESH)
def delete_account() -> Page:
    database.delete_user(auth.user)
    auth.logout()
    flash("Your account and your notes are deleted.")
    return redirect(url_for("pages.register"))


@blueprint.get("/devices")
def devices() -> Page:
    return render_template("devices.html", devices=auth.sessions(auth.user))


@blueprint.post("/devices/end")
def end_device() -> Page:
    """Ends one of the user's own logins. The id in the form can't end those of others."""
    ended = auth.end_session(request.form.get("id", ""))
    if auth.get_user() is None:  # it was the login of this browser
        flash("You are logged out.")
        return redirect(url_for("pages.login"))
    flash("The device is logged out." if ended else "This device was logged out before.")
    return redirect(url_for("pages.devices"))


@blueprint.post("/devices/end-others")
def end_other_devices() -> Page:
    for device in auth.sessions(auth.user):
        if not device.current:
            auth.end_session(device.id)
    flash("All other devices are logged out.")
    return redirect(url_for("pages.devices"))


@blueprint.post("/devices/alarm")
def dismiss_alarm() -> Page:
    database.dismiss_alarm(auth.user)
    return redirect(url_for("pages.devices"))


@blueprint.get("/about")
@auth.public
def about() -> Page:
    return render_template("about.html")


@blueprint.app_template_filter("device_name")
def _device_name(label: str) -> str:
    """A name that people recognize, from the ``User-Agent`` of a login. Programs may send any text."""
    browser = next((name for mark, name in BROWSERS.items() if mark in label), None)
    system = next((name for mark, name in SYSTEMS.items() if mark in label), None)
    if browser is None or system is None:
        return label[:40] or "Unknown device"
    return f"{browser} on {system}"


@blueprint.app_template_filter("moment")
def _moment(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"


def _enter(user: database.User, *, remember: bool = False) -> None:
    auth.login(user, remember=remember)
    session["name"] = user.name  # fills in the login form next time; who is logged in is not read from here


def _problems(password: str) -> dict[str, str]:
    if not 10 <= len(password) <= 200:
        return {"password": "Use 10 to 200 characters. Several words are fine."}
    return {}
