"""The test server's switches."""

from smscli.demo.options import SMS_TOPICS, Options

__all__ = ["SMS_TOPICS", "Options"]
