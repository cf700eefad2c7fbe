"""``python -m tests.bench.api``: a long property-based run against the API; what it found is printed.

``--examples`` is how many requests by chance each endpoint gets, ``--seed`` what chance begins with.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fixtures.api_properties import check_api


def main() -> int:
    """Run it, and return 0 when nothing was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mastra-admin-api-") as folder:
        phases = ("examples", "coverage", "fuzzing")
        found = check_api(Path(folder) / "home", phases=phases, examples=given.examples, seed_number=given.seed)
    print(found.text)
    return found.code


if __name__ == "__main__":
    sys.exit(main())
