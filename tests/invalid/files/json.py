"""A file whose name is a module of Python's."""
