"""What deploys by itself: the clock, changes of a source, pushes."""
