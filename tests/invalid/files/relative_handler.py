"""A handler that the specs of this folder name; only its place matters."""

from .steps import sharpen
import other


class Handler:
    def initialize(self, context):
        sharpen(other)

    def handle(self, data, context):
        return data


class Async(Handler):
    async def handle(self, data, context):
        return data
