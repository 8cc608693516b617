from typing import Any
from unittest.mock import patch

from famichat.accounts.privacy import PrivacySettings
from famichat.actions.accounts.privacy import change_privacy
from tests.support.services import RunningServices, identity


async def test_presence_changes_at_once_and_only_when_it_was_chosen(running: RunningServices) -> None:
    maja, chosen = identity(running.home.maja), list[tuple[str, dict[str, Any]]]()
    with patch.object(
        running.services.presence, "set_hidden", lambda user_id, **options: chosen.append((user_id, options))
    ):
        read = await change_privacy(running.services, maja, read_receipts=False)
        assert chosen == []
        away = await change_privacy(running.services, maja, presence=False)

    assert chosen == [(maja.user_id, {"hidden": True})]
    assert read == PrivacySettings(read_receipts=False, typing_indicators=True, presence=True)
    assert away == PrivacySettings(read_receipts=False, typing_indicators=True, presence=False)
