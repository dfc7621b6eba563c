"""Output: the terminal, tables and transcripts for people, TSV and JSON for programs."""
