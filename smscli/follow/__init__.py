"""Following sessions: what to read next, and what an answer means."""
