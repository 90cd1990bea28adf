"""``flask unauthorized audit``: mistakes in what an app's routes demand, and changes of it since a lock file."""
