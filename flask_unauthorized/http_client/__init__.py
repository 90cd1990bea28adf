"""Fetching what the configuration names: keys and answers of authorization servers."""
