"""The test server: the demo server with every switch."""

from smscli.demo.server import DemoServer


class FakeServer(DemoServer):
    """A demo server made to fail."""
