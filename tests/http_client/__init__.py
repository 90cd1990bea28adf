"""Tests of fetching, from servers that misbehave and through proxies."""
