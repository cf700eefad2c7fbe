"""Keeping servers as the records want them."""
