"""What differs between two sets of traces, and recorded inputs sent again."""
