"""Run the app and its provider."""

import os

from examples.serving import OTHER_URL, URL, serve_both

from .app import create_app
from .provider import create_provider

TRY = """\
A vault at {app}, whose users log in at the OpenID provider at {provider}.
In a browser (the users are ada and bob, and their passwords are their names):

1. Open {app}/ and log in as ada.
2. Open {app}/vault. It demands a second factor: log in again with the code 123456.
3. Open {provider}/ and press "Log out everywhere". The app demands a login again.

In another terminal, the same. Two header fields say that a page is opened, as browsers do:
  go() {{ curl -isL -b jar -c jar -H 'Sec-Fetch-Mode: navigate' -H 'Sec-Fetch-Site: none' "$@"; }}
  go {app}/                                                                            # 200: <form
  go -d name=ada -d password=ada "$(go -o page -w '%{{url_effective}}' {app}/)"          # 200: Hello, ada
  curl -i {app}/api/me -b jar                                                          # 200: ada
  go -d '' {provider}/log-out-everywhere                                                     # 200: 1 app was told
  curl -i {app}/api/me -b jar                                                          # 401

The warning about SESSION_COOKIE_SECURE is expected: this demo has no HTTPS.
"""

provider = create_provider()
provider.config.update(URL=OTHER_URL, APP_URL=URL)
app = create_app(OTHER_URL, os.environ.get("RESPONSE_MODE"))
serve_both(app, provider, TRY.format(app=URL, provider=OTHER_URL))
