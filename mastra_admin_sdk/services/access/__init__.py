"""Who may do what from elsewhere: tokens."""
