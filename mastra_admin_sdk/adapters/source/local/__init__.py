"""Projects in folders of this machine."""
