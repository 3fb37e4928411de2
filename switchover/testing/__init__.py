"""Fakes and embedded servers, shipped so that users can test their own migrations with them."""
