"""What `MastraAdmin` hands out: live deployments and builds, with the things one can do to them.

They hold a snapshot of their record; ``refresh()`` reads it anew. Their reprs use the snapshot alone: no query, no
exception, no secret.
"""

from .base import Services
from .builds import LiveBuild
from .deployments import LiveDeployment

__all__ = ["LiveBuild", "LiveDeployment", "Services"]
