"""Tests of one request's way to an identity."""
