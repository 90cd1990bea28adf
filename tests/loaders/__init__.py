"""Tests of the loaders that come with the package."""
