"""Real servers under load: the apps, the servers, the client, what is measured, and the page."""
