"""People in browsers: sessions, login pages, other sites."""
