"""Tests of protected resources (RFC 9728)."""
