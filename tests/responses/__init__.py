"""Tests of what leaves the app: error handler, body, guard, drain, diagnostics."""
