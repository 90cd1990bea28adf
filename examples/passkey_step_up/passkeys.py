"""Passkeys (WebAuthn): add one, and confirm a login with one.

Each ceremony has two requests. The script in static/passkeys.js asks for options, lets the browser talk to the
authenticator, and sends what that has signed:

1. `step_up_options` puts a random challenge into the session.
2. `confirm_login` takes the challenge out, so that each one has a single try. Then it checks the response: the
   challenge, the origin, the RP ID, that the authenticator verified the person (PIN, finger or face), that the passkey
   is one of this user's, the signature, and that the sign count rises.
3. `auth.confirm` raises the level and the time of the login, and the session gets a new id.

Two rules keep a stolen session from helping itself:

- The first passkey can be added within five minutes of the password. Later changes also need a passkey. Otherwise
  someone with a copied cookie could add their own passkey and step up with it.
- The response to a challenge is accepted only once, also by a session that was copied before. A session in a cookie
  can be sent again with the challenge still in it, so the store records which challenges were used.

The extension refuses requests of other sites (CSRF), so the forms need no tokens. People who lose their last passkey
need another way, which is yours to decide. Let it be as hard as the passkey.
"""

import logging
import secrets
import time
from typing import Any

from flask import Blueprint, current_app, flash, redirect, render_template, request, session, url_for
from webauthn import (
    generate_authentication_options,
    generate_registration_options,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import (
    base64url_to_bytes,
    bytes_to_base64url,
    options_to_json_dict,
    parse_authentication_credential_json,
    parse_client_data_json,
    parse_registration_credential_json,
)
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    CredentialDeviceType,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)
from werkzeug.wrappers import Response

from . import database
from .auth import DEVICE_BOUND, FRESH, PASSKEY, SYNCED, auth, store

blueprint = Blueprint("passkeys", __name__)
log = logging.getLogger(__name__)
Page = str | Response
Answer = dict[str, Any] | tuple[dict[str, str], int]

LIFETIME = 300
"""Seconds for which a challenge counts."""
MOST = 10
"""Most passkeys of a user."""
INVALID = (WebAuthnException, ValueError, TypeError, KeyError, RecursionError)
"""What the library raises for responses that aren't valid, and for some that it can't read."""
TOO_LATE = "This took too long, or was sent already. Please try again."
NOT_ACCEPTED = "This passkey was not accepted. Please try again, or use another one."


# --- confirm a login


@blueprint.get("/step-up")
def step_up() -> Page:
    return render_template("step_up.html", passkeys=database.passkeys_of(auth.user))


@blueprint.post("/step-up/options")
def step_up_options() -> Answer:
    options = generate_authentication_options(
        rp_id=current_app.config["PASSKEY_RP_ID"],
        challenge=_new_challenge("step-up"),
        allow_credentials=_descriptors(),
        user_verification=UserVerificationRequirement.REQUIRED,
    )
    return options_to_json_dict(options)


@blueprint.post("/step-up")
def confirm_login() -> Answer:
    challenge = _spent_challenge("step-up")
    if challenge is None:
        return _refusal(TOO_LATE, "the session has no such challenge, or it was used or has expired")
    user = auth.user
    try:
        credential = parse_authentication_credential_json(_sent().get("credential", {}))
        passkey = database.passkey_of(user, credential.raw_id)
        if passkey is None:
            return _refusal(NOT_ACCEPTED, "this user has no such passkey")
        if credential.response.user_handle not in (None, user.handle):
            return _refusal(NOT_ACCEPTED, "the passkey names another user")
        if parse_client_data_json(credential.response.client_data_json).cross_origin:
            return _refusal(NOT_ACCEPTED, "the page was in a frame of another origin")
        verified = verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=current_app.config["PASSKEY_RP_ID"],
            expected_origin=current_app.config["PASSKEY_ORIGIN"],
            require_user_verification=True,
            credential_public_key=passkey.public_key,
            credential_current_sign_count=0,  # compared below, where it is stored
        )
    except INVALID as error:
        return _refusal(NOT_ACCEPTED, error)
    if (verified.credential_device_type == CredentialDeviceType.MULTI_DEVICE) != passkey.is_synced:
        return _refusal(NOT_ACCEPTED, "a passkey can't begin or cease to be synced")
    if not database.raise_sign_count(passkey, verified.new_sign_count):
        # Two authenticators with the same key count separately. It isn't known which one is the user's.
        log.warning("passkey %d of user %d may have been copied: its sign count didn't rise", passkey.number, user.id)
        return _refusal("This passkey may have been copied. Please use another one, and delete this one.", "sign count")
    auth.confirm(acr=SYNCED if passkey.is_synced else DEVICE_BOUND)
    return {"next": auth.next_url(url_for("pages.home"))}


# --- add and delete passkeys


def _require_recent_proof() -> None:
    """Demand a login of the last minutes, by a passkey if the user has one."""
    if database.passkeys_of(auth.user):
        auth.require(max_age=FRESH, acr=PASSKEY)
    else:
        auth.require(max_age=FRESH)


@blueprint.get("/passkeys")
def page() -> Page:
    _require_recent_proof()
    return render_template("passkeys.html", passkeys=database.passkeys_of(auth.user))


@blueprint.post("/passkeys/options")
def new_options() -> Answer:
    _require_recent_proof()
    options = generate_registration_options(
        rp_id=current_app.config["PASSKEY_RP_ID"],
        rp_name="Payouts",
        user_id=auth.user.handle,
        user_name=auth.user.name,
        challenge=_new_challenge("add"),
        exclude_credentials=_descriptors(),
        authenticator_selection=AuthenticatorSelectionCriteria(
            resident_key=ResidentKeyRequirement.PREFERRED,
            user_verification=UserVerificationRequirement.REQUIRED,
        ),
    )
    return options_to_json_dict(options)


@blueprint.post("/passkeys")
def add() -> Answer:
    _require_recent_proof()
    challenge = _spent_challenge("add")
    if challenge is None:
        return _refusal(TOO_LATE, "the session has no such challenge, or it was used or has expired")
    user = auth.user
    if len(database.passkeys_of(user)) >= MOST:
        return _refusal(f"You have {MOST} passkeys. Please delete one first.", "too many passkeys")
    sent = _sent()
    try:
        credential = parse_registration_credential_json(sent.get("credential", {}))
        if parse_client_data_json(credential.response.client_data_json).cross_origin:
            return _refusal(NOT_ACCEPTED, "the page was in a frame of another origin")
        verified = verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=current_app.config["PASSKEY_RP_ID"],
            expected_origin=current_app.config["PASSKEY_ORIGIN"],
            require_user_verification=True,
        )
    except INVALID as error:
        return _refusal(NOT_ACCEPTED, error)
    if not database.add_passkey(user, str(sent.get("name", "")).strip()[:40] or "Passkey", verified):
        return _refusal("This passkey is registered already.", "the credential id exists")
    flash("The passkey is added.")
    return {"next": auth.next_url(url_for("passkeys.page"))}


@blueprint.post("/passkeys/<int:number>/delete")
def delete(number: int) -> Page:
    _require_recent_proof()
    if database.delete_passkey(auth.user, number):
        flash("The passkey is deleted.")
    return redirect(url_for("passkeys.page"))


# --- what both ceremonies share


def _new_challenge(purpose: str) -> bytes:
    """A random challenge. The session holds it, with what it is for and until when."""
    challenge = secrets.token_bytes(32)
    session["challenge"] = [purpose, bytes_to_base64url(challenge), time.time() + LIFETIME]
    return challenge


def _spent_challenge(purpose: str) -> bytes | None:
    """The challenge of this session, to one caller; ``None`` if there is none for this purpose, or it isn't valid."""
    if "challenge" not in session:
        return None
    meant_for, challenge, until = session.pop("challenge")
    if meant_for != purpose or time.time() > until or not store.claim("passkey-challenge", challenge, LIFETIME):
        return None
    return base64url_to_bytes(challenge)


def _sent() -> dict[str, Any]:
    """The JSON object of the request; an empty one if there is none."""
    try:
        sent = request.get_json(silent=True)
    except RecursionError:  # nested too deeply
        return {}
    return sent if isinstance(sent, dict) else {}


def _descriptors() -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=passkey.credential_id) for passkey in database.passkeys_of(auth.user)]


def _refusal(message: str, reason: object) -> Answer:
    """422, as for a wrong password: the caller is logged in, so that 401 would be wrong. The reason is for the log."""
    log.info("%s refused for user %d: %r", request.endpoint, auth.user.id, reason)  # %r: a client wrote parts of it
    return {"error": "Not Accepted", "message": message}, 422
