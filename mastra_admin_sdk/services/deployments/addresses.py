"""Names to slugs, slugs to host names. Pure: the same input gives the same output, and two inputs differ in theirs.

A label is one part of a host name: lower-case letters, digits and inner hyphens, 1 to 63 characters. What can't be
kept as it is, or could be mistaken for something else, gets a short hash of the original: ``-x`` and seven hex digits.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection

from mastra_admin_sdk.errors import InvalidInput
from mastra_admin_sdk.models import DeploymentType

MAX_LABEL = 63

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?")
_WORDS = re.compile(r"[a-z0-9]+([ -][a-z0-9]+)*")
_HASHED = re.compile(r"(.*-)?x[0-9a-f]{7}")
_UNUSABLE = re.compile(r"[^a-z0-9]+")

# Branches whose addresses need no hash. A project whose own name ends in one of them gets the hash instead.
_TRUNKS = ("main", "master", "trunk", "develop", "dev")
_STAGES = tuple(kind.value for kind in DeploymentType)
_PLAIN_SLUGS = frozenset({*_TRUNKS, *_STAGES, *(f"{trunk}-{stage}" for trunk in _TRUNKS for stage in _STAGES)})


def make_slug(text: str) -> str:
    """Return a DNS label for a name: ``Data Science`` gives ``data-science``.

    Names that differ only in the case of ASCII letters, or in a space where the other has a hyphen, are taken for the
    same name and get the same slug. All others get different ones: where letters are lost or the name is cut, the slug
    ends in a hash of the name (``feature/x`` gives ``feature-x-x`` and seven hex digits).
    """
    lowered = text.lower()
    plain = lowered.replace(" ", "-")
    if text.isascii() and _WORDS.fullmatch(lowered) and len(plain) <= MAX_LABEL and not _HASHED.fullmatch(plain):
        return plain
    return _add_hash(lowered, text)


def make_deployment_slug(branch: str, type: DeploymentType, taken: Collection[str]) -> str:
    """Return the slug of a new deployment: its branch's, with its type when another deployment has that already.

    Parameters:
        branch: any text, such as ``feature/x``.
        type: what the deployment is for.
        taken: slugs of the project's other deployments.
    """
    slug = make_slug(branch)
    if slug not in taken:
        return slug
    with_type = f"{slug}-{type.value}"
    if len(with_type) <= MAX_LABEL and with_type not in taken:
        return with_type
    return _add_hash(with_type, f"{branch}\0{type.value}")


def make_hosts(
    team_slug: str, project_slug: str, deployment_slug: str, *, base_domain: str, is_default_production: bool
) -> list[str]:
    """Return the host names of a deployment, its main one first.

    The first is ``{project}-{deployment}.{team}.{base_domain}``. Production on the default branch also answers on
    ``{project}.{team}.{base_domain}``. No two deployments of a team share one: where the joined label could also be
    read as another project or another pair (``a-b`` and ``c``, ``a`` and ``b-c``), or is too long, it ends in a hash.

    Raises:
        InvalidInput: a slug isn't a DNS label.
    """
    for slug in (team_slug, project_slug, deployment_slug):
        _check_label(slug)
    labels = [_join(project_slug, deployment_slug)]
    if is_default_production:
        labels.append(_make_project_label(project_slug))
    return [f"{label}.{team_slug}.{base_domain}" for label in labels]


def _join(project: str, slug: str) -> str:
    label = f"{project}-{slug}"
    if len(label) <= MAX_LABEL and not _HASHED.fullmatch(label) and _find_plain_ending(label) == slug:
        return label
    # A hash of the slug's own is replaced by that of both: one is enough to tell them apart.
    return _add_hash(f"{project}-{re.sub(r'-?x[0-9a-f]{7}$', '', slug)}", f"{project}\0{slug}")


def _make_project_label(project: str) -> str:
    # A slug with a hash stays as it is: joined labels hash two slugs, this one hashes a name.
    return project if _find_plain_ending(project) is None else _add_hash(project, f"{project}\0")


def _find_plain_ending(label: str) -> str | None:
    """Return the longest plain deployment slug that a label may end in, after a project's name."""
    endings = [slug for slug in _PLAIN_SLUGS if label.endswith(f"-{slug}") and len(label) > len(slug) + 1]
    return max(endings, key=len, default=None)


def _add_hash(text: str, original: str) -> str:
    digest = hashlib.sha256(original.encode("utf-8", errors="surrogatepass")).hexdigest()[:7]
    cleaned = _UNUSABLE.sub("-", text)[: MAX_LABEL - 9].strip("-")
    return f"{cleaned}-x{digest}" if cleaned else f"x{digest}"


def _check_label(slug: str) -> None:
    if len(slug) > MAX_LABEL or not _LABEL.fullmatch(slug):
        raise InvalidInput(f"{slug[:100]!r} can't be part of a host name.", hint="Make it with make_slug.")
