"""What pages show, worked out from records: frozen dataclasses made by pure functions, which templates render."""
