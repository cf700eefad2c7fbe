"""Charts: DataFrames as Plotly figures, which are plain dictionaries here; a notebook and the panel draw the same."""
