"""The background work of a home: roles, and the threads that fill them."""
