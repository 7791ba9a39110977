"""A file that is no Python."""

def load(image:
