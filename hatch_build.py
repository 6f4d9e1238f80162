"""What the package's page says: README, with links that work away from the repository.

Where the package is released from is known only there: GitHub says it in GITHUB_REPOSITORY. Anywhere else README stays
as it is.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"(!?)(\[[^\]]*\])\((?!https?://|#|mailto:)([^)\s]+)\)")
"""A Markdown link or picture whose target is a file beside README."""


class CustomMetadataHook(MetadataHookInterface):
    """``readme`` and ``urls`` of the project's metadata."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Called by hatchling."""
        text = (Path(self.root) / "README.md").read_text()
        home = home_of(os.environ)
        metadata["readme"] = {"content-type": "text/markdown", "text": absolute(text, home)}
        if home is not None:
            metadata["urls"] = {"Repository": home.partition("/BLOB/")[0]}


def home_of(environment: Mapping[str, str]) -> str | None:
    """Address of the files at this commit or tag, with BLOB where GitHub says ``blob`` or ``raw``; None if unknown."""
    repository = environment.get("GITHUB_REPOSITORY")
    if not repository:
        return None
    server = environment.get("GITHUB_SERVER_URL", "https://github.com")
    return f"{server}/{repository}/BLOB/{environment.get('GITHUB_REF_NAME', 'main')}"


def absolute(text: str, home: str | None) -> str:
    """Markdown with targets below ``home``; pictures as their bytes, all else as its page."""
    if home is None:
        return text

    def target(found: re.Match[str]) -> str:
        picture, words, path = found.groups()
        return f"{picture}{words}({home.replace('BLOB', 'raw' if picture else 'blob')}/{path})"

    return LINK.sub(target, text)
