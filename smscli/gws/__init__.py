"""Genesys Web Services: REST reads and CometD push over HTTP."""
