"""Tests of what is demanded and what is offered."""
