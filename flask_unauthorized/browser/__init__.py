"""People in browsers: log in and out, the redirect to the login page, and the way back from there."""
