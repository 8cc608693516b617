import pytest

from famichat.accounts.sign_in.token import Tokens
from famichat.attachments.signed_url import ADDRESS_SECONDS, SignedUrls, UrlGrant
from famichat.chat.errors import NotFound
from famichat.storage.base import new_id
from tests.factories.people import SECRET

TICKET = UrlGrant(new_id(), new_id(), new_id(), "thumbnail")


def token_of(address: str) -> str:
    return address.removeprefix("/files/")


def test_a_signed_url_names_its_user_and_its_file() -> None:
    address, expires_at = SignedUrls(SECRET, lambda: 1000.0).issue(TICKET)

    assert SignedUrls(SECRET, lambda: 1000.0 + ADDRESS_SECONDS - 1).read(token_of(address)) == TICKET
    assert expires_at.timestamp() == 1000 + ADDRESS_SECONDS


def test_a_signed_url_expires() -> None:
    address, _ = SignedUrls(SECRET, lambda: 1000.0).issue(TICKET)

    with pytest.raises(NotFound):
        SignedUrls(SECRET, lambda: 1000.0 + ADDRESS_SECONDS).read(token_of(address))


@pytest.mark.parametrize(
    "token",
    [
        "",
        "nonsense",
        "å",
        "a" * 600,
        "%2e%2e",
        pytest.param(Tokens(SECRET).issue(new_id(), new_id()), id="an access token"),
    ],
)
def test_a_malformed_signed_url_is_refused(token: str) -> None:
    with pytest.raises(NotFound):
        SignedUrls(SECRET).read(token)


def test_an_address_under_another_key_or_changed_is_none() -> None:
    token = token_of(SignedUrls("another secret of the tests").issue(TICKET)[0])
    own = token_of(SignedUrls(SECRET).issue(TICKET)[0])

    # Not the last character: two of its six bits are unused, so some changes to it have no effect.
    changed = own[:-9] + ("A" if own[-9] != "A" else "B") + own[-8:]
    for wrong in (token, changed, own[1:]):
        with pytest.raises(NotFound):
            SignedUrls(SECRET).read(wrong)
