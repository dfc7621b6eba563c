"""Tests of the demo server, read with nothing but the standard library's HTTP client."""
