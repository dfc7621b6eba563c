"""What people see: tables, the transcript and the live line, as text, never printed here."""
