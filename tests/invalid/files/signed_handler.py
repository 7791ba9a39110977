"""A handler with an address that is a credential; made up."""

ADDRESS = "https://acme.blob.core.windows.net/words?sv=2024-11-04&sig=made-up-for-this-example"


class Handler:
    def initialize(self, context): ...

    def handle(self, data, context):
        return data
