"""Handlers that cannot work."""

import steps


class Plain:
    pass


class Handler(steps.Base):
    pass
