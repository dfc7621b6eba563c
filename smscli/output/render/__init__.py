"""Text for people. Everything here returns strings; nothing prints."""
