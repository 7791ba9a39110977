"""A file whose name is a keyword of Python's."""
