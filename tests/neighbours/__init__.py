"""Other extensions beside ours: what the one line ``auth.init_app(app)`` changes for each, and how to use both."""
