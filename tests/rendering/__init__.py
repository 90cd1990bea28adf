"""Tests of the bodies of refusals."""
