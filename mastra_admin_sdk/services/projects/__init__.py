"""Teams, projects, and where their code comes from."""
