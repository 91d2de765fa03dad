"""Reads uploads in a child process: `parent` runs in the app, `child` in the process with limits."""
