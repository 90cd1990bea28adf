"""Fetch the URLs that the configuration names: key sets, metadata, and token introspection."""
