from typing import Any

import pytest

from famichat.accounts.errors import InvalidCredentials
from famichat.accounts.sign_in.credential import credential_id_of


@pytest.mark.parametrize("encoded", ["aWQ", "aWQ="])
def test_the_id_is_base64url_with_or_without_padding(encoded: str) -> None:
    assert credential_id_of({"rawId": encoded}) == b"id"


@pytest.mark.parametrize("credential", [{}, {"rawId": None}, {"rawId": 7}, {"rawId": "ä"}])
def test_a_credential_without_an_id_is_refused(credential: dict[str, Any]) -> None:
    with pytest.raises(InvalidCredentials):
        credential_id_of(credential)
