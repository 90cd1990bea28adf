"""The one `Auth` of the app: device keys for the API, a password for the console."""

from werkzeug.security import generate_password_hash

from flask_unauthorized import APIKey, Auth, Basic, Identity, RevokedCredentials
from flask_unauthorized.loaders import Passwords

device_key = APIKey(header="X-Device-Key")
operators = {"olga": Identity("olga", roles={"operator"})}
password = Basic(Passwords({"olga": generate_password_hash("let me in")}, load=operators.get), realm="console")
auth = Auth(device_key, password)

# key: (device, scopes, retired); a real app asks its database
_devices = {
    "key-of-thermometer": ("thermometer", {"telemetry:write"}, False),
    "key-of-old-lamp": ("old-lamp", {"telemetry:write"}, True),
}


@device_key.loader
def load_device(key: str) -> Identity | None:
    """Return the device of a key."""
    if key not in _devices:
        return None
    name, scopes, retired = _devices[key]
    if retired:
        raise RevokedCredentials("This device was retired.")
    return Identity(name, scopes=scopes)
