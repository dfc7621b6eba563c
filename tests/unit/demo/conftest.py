from tests.support.serving import clock, demo

__all__ = ["clock", "demo"]
