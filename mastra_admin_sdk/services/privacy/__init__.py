"""Deleting telemetry for good: of a user, a thread, a project, or what is old; in the store and in the files."""
