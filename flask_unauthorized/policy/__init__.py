"""What views demand and offer, compiled before the first request."""
