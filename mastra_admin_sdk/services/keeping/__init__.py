"""What is kept, and how room is made."""
