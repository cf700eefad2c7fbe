"""``python -m mastra_admin_sdk.cli`` is ``mastra-admin``."""

from __future__ import annotations

from .main import main

if __name__ == "__main__":
    main()
