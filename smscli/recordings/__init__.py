"""Recordings of `tail --record`: writing and reading."""
