"""The built-in demo server: Genesys Web Services on loopback, with live scripted conversations."""
