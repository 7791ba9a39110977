"""A file in Latin-1: é."""
