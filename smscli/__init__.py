"""smscli: inspect live SMS sessions on Genesys Web Services from a terminal."""

__version__ = "0.1.0"
