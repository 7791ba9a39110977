"""A handler that the specs of this folder name; only its place matters."""


class Handler:
    def initialize(self, context): ...

    def handle(self, data, context):
        match data:
            case _:
                return data
