"""Publishing to and reading from a stream of NATS JetStream. Needs the extra `nats`."""
