"""``flask unauthorized explain``: what each kind of caller of a route gets, from requests that never reach the view."""
