"""Charts of what agents did and what builds took."""
