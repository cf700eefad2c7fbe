"""History as DataFrames."""
