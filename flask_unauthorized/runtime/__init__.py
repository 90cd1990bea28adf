"""What ties policy and authentication to Flask: the state of an app and of a request, wrappers, hooks."""
