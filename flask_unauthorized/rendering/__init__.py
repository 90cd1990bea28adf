"""Bodies of refusals: negotiated, then rendered."""
