"""Routing inside an ASGI application: middleware for systems side by side, and API versions."""
