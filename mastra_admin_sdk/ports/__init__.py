"""What the product needs from the outside: one abstract class a file. Read these first.

``storage`` keeps the records, ``source`` finds projects, ``runner`` builds and runs them, ``router`` gives them
addresses, ``observability`` stores and reads what they did.
"""
