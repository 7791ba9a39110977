"""Why a model cannot be exported, and which line of the spec is to blame."""

from generator.document import Pointer


class Refusal(Exception):
    """A mistake of the user's that only shows when the model is loaded or run."""

    def __init__(self, pointer: Pointer, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer
        self.message = message
        self.hint = hint


def first_line(error: BaseException) -> str:
    """What an exception says first, or its kind where it says nothing."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
