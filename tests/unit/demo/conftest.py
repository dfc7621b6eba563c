from tests.support.serving import clock, serve

__all__ = ["clock", "serve"]
