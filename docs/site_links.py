"""Links of the pages to files outside ``docs/``, for the site: they lead to the repository.

In the repository the relative links work as they stand; a test checks that their targets exist.
"""

from __future__ import annotations

import re
from typing import Any

_OUTSIDE = re.compile(r"\]\(\.\./([^)#:]+)")


def on_page_markdown(markdown: str, *, config: Any, **_rest: Any) -> str:
    """Replace ``](../path`` by the path's address in the repository; called by mkdocs."""
    return _OUTSIDE.sub(rf"]({config.repo_url}/blob/main/\1", markdown)
