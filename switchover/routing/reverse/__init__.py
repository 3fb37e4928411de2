"""A reverse proxy that routes: for applications that can't add a library."""
