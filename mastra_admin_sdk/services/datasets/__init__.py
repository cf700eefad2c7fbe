"""Datasets: inputs with what is expected of them, made from traces or tables, which a replay runs."""
