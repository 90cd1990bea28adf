"""The API: devices send what they measured. Protected as a whole; the health check is open on purpose."""

from flask import Blueprint, request

from flask_unauthorized import abort_forbidden, current_identity

from .auth import auth, device_key

blueprint = Blueprint("api", __name__, url_prefix="/api")


@blueprint.get("/health")
@auth.public
def health() -> dict[str, str]:
    return {"status": "up"}


@blueprint.post("/telemetry/<device>")
@auth.login_required(scopes={"telemetry:write"}, via=device_key)
def telemetry(device: str) -> tuple[dict[str, object], int]:
    if device != current_identity.subject:
        abort_forbidden("A device may only report for itself.")
    return {"device": device, "received": request.get_json()}, 201
