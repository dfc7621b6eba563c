"""What the tool costs, measured against its bars; run as `python -m tests.bench`."""
