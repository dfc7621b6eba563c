"""The transcript of a session: folding, activity, filters and masking, all without I/O."""
