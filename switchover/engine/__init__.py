"""The use cases, one per file: each is one thing that a person or a flow asks for."""
