"""People in browsers: logging in and out, the way to the login page, and the way back."""
