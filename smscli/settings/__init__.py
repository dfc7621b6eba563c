"""Configuration, credentials and what is remembered between runs."""
