"""The models of the API, a module for each noun. Each has ``of``, which makes it of what the SDK hands out.

Pages and streams use them as well: ``Team.of(team).to_json()`` is a team as the API answers it.
"""
