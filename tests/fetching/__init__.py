"""Key sets, metadata and introspection, fetched from servers that misbehave."""
