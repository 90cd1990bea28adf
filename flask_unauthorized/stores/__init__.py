"""Stores hold what requests share across threads, processes and hosts. Import the one you want by its path."""
