"""Where Python keeps interned strings, the keys of a stranger's maps are unpacked elsewhere."""

from __future__ import annotations

import sys
from contextlib import closing

import pytest

from bridges import Plugin
from faustwire_bridge.children import judge_at_hand
from faustwire_bridge.service import server
from faustwire_bridge.service.settings import Settings


@pytest.mark.parametrize("keeps", [True, False])
def test_nothing_is_judged_in_the_bridge_where_keys_would_be_kept(
    plugin: Plugin, monkeypatch: pytest.MonkeyPatch, *, keeps: bool
) -> None:
    """A worker could send ever new ones, and no cut would free them."""
    monkeypatch.setattr(sys, "getrefcount", lambda _: 2**32 - 1 if keeps else 2)
    assert judge_at_hand.keeps_interned_strings() is keeps
    settings = Settings(plugin.place, str(plugin.config_path), compiles=False)
    with closing(server._gates(settings)) as gates:
        assert (gates._judges.front._at_hand is None) is keeps
