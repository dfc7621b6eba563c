"""One short function for each verb of the command line."""
