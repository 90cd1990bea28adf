"""Run the API and its issuer."""

import sys

from examples.serving import OTHER_URL, URL, serve_both

from .api import create_api
from .issuer import create_issuer

TRY = """\
Notes at {api}, for clients with access tokens (JWT) of the issuer at {issuer}.
In another terminal (the issuer's clients are reader and writer, and their passwords are their names):
  token() {{ curl -s -u $1:$1 -d "grant_type=client_credentials&scope=notes:read notes:write" {issuer}/token |
    {python} -c 'import json, sys; print(json.load(sys.stdin)["access_token"])'; }}
  curl -i {api}/notes                                                        # 401
  curl -i {api}/notes -H "Authorization: Bearer $(token reader)"             # 200: reader
  curl -i {api}/notes -H "Authorization: Bearer $(token reader)" -X DELETE   # 403: insufficient_scope
  curl -i {api}/notes -H "Authorization: Bearer $(token writer)" -X DELETE   # 204
  curl -i {issuer}/rotate -X POST                                                # 204, the next key signs
  curl -i {api}/notes -H "Authorization: Bearer $(token reader)"             # 200: reader
"""

issuer = create_issuer()
issuer.config["URL"] = OTHER_URL
serve_both(create_api(OTHER_URL), issuer, TRY.format(api=URL, issuer=OTHER_URL, python=sys.executable))
