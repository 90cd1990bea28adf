"""What leaves the app: from an error to a response, and the guard of every response."""
