"""How deployments do: health as a DataFrame, figures for Prometheus, and alerts."""
