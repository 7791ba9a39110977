"""A live cluster, asked and never written to: what stands in it, and what it says of a render.

Everything that is sent goes through `connection`, which lets nothing pass that would store
anything. [api]: https://kubernetes.io/docs/reference/using-api/api-concepts/
"""
