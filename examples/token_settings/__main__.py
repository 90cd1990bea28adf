"""Run the app."""

import os

from . import create_app, database

TRY = """\
Notes with personal access tokens. Users, notes and tokens are stored in {folder}
In a browser: {url}/ (name: ada or bob, password: {password})
In another terminal (the function creates a token each time, as the page does):
  token() {{ curl -s {url}/tokens -b jar -d "form=$(printf '%032d' $RANDOM$RANDOM)&name=$1&days=7&scope=notes:$1" |
    grep -o '>notes_[^<]*' | cut -c 2-; }}
  curl -i {url}/api/notes                                                    # 401
  curl -iL {url}/login -b jar -c jar -d 'name=ada&password={password}'    # 200: ada
  curl -i {url}/api/notes -H "Authorization: Bearer $(token read)"           # 200: notes
  curl -i {url}/api/notes -H "X-API-Key: $(token read)"                      # 200: notes
  curl -i {url}/api/notes -H "X-API-Key: $(token write)"                     # 403: notes:read
  curl -i {url}/api/notes -H "X-API-Key: $(token read)" -X POST              # 403: notes:write

The warning about SESSION_COOKIE_SECURE is expected: this demo has no HTTPS.
"""

port = int(os.environ.get("PORT", "5000"))
text = TRY.format(url=f"http://127.0.0.1:{port}", folder=database.FOLDER, password=database.DEMO_PASSWORD)
print(text, flush=True)
create_app().run(port=port)
