import pytest

from famichat.actions.accounts.profile import (
    change_profile,
    list_people,
    read_avatar,
    remove_avatar,
    set_avatar,
)
from famichat.actions.events.payloads import person_view
from famichat.actions.rate_limit import RateLimited, RateLimits
from famichat.chat.errors import NotFound
from famichat.telemetry.events import Event, ProfileChanged
from tests.support.photos import photo
from tests.support.services import RunningServices, identity


def changed(user_id: str, **parts: bool) -> ProfileChanged:
    return ProfileChanged(
        user_id=user_id,
        **{f"{part}_changed": False for part in ("display_name", "color", "picture")} | parts,
    )


async def test_a_changed_profile_is_emitted_and_announced_to_contacts_only(
    running: RunningServices, emitted: list[Event]
) -> None:
    maja, home = identity(running.home.maja), running.home
    profile = await change_profile(running.services, maja, {"display_name": "Mum", "color": "moss"})

    assert emitted[-1] == changed(maja.user_id, display_name_changed=True, color_changed=True)
    assert {each.user_id for each in await list_people(running.services, maja)} == {
        each.user_id for each in home.everyone
    }
    for each in home.everyone:
        assert running.events(each.user_id) == ["person_updated"]
    assert running.events(home.ada.user_id) == []
    assert [note["payload"] for _, note in running.published] == [{"person": person_view(profile)}] * 4


async def test_an_unchanged_profile_is_not_announced(running: RunningServices, emitted: list[Event]) -> None:
    await change_profile(running.services, identity(running.home.maja), {"color": None})

    assert running.published == []
    assert not any(isinstance(each, ProfileChanged) for each in emitted)


async def test_an_avatar_is_announced_to_contacts_and_hidden_from_others(
    running: RunningServices, emitted: list[Event]
) -> None:
    services, maja = running.services, identity(running.home.maja)

    async def image() -> bytes:
        return photo()

    profile = await set_avatar(services, maja, image)
    assert profile.picture_id is not None
    assert emitted[-1] == changed(maja.user_id, picture_changed=True)
    assert await read_avatar(services, identity(running.home.nils), maja.user_id, profile.picture_id)
    with pytest.raises(NotFound):
        await read_avatar(services, identity(running.home.ada), maja.user_id, profile.picture_id)

    await remove_avatar(services, maja)
    assert emitted[-1] == changed(maja.user_id, picture_changed=True)
    assert running.events(running.home.nils.user_id) == ["person_updated"] * 2
    with pytest.raises(NotFound):
        await read_avatar(services, maja, maja.user_id, profile.picture_id)


async def test_an_image_over_the_rate_limit_is_not_even_received(
    running: RunningServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def image() -> bytes:
        raise AssertionError("it must not be read")

    def refuse(*_: object) -> None:
        raise RateLimited(1)

    monkeypatch.setattr(RateLimits, "check", refuse)
    with pytest.raises(RateLimited):
        await set_avatar(running.services, identity(running.home.maja), image)
