"""The texts of the e-mail."""

import pytest

from famichat.mail.texts import Language, Purpose, compose


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("purpose", ["confirm", "reset"])
def test_each_text_names_the_user_and_the_link(purpose: Purpose, language: Language) -> None:
    url = "https://chat.example/reset#token"
    message = compose(
        purpose, language, app="Sundqvists", sender="chat@example.org", to="maja@example.org", name="maja", url=url
    )
    text = message.get_content()

    assert "maja" in text
    assert url in text.splitlines()
    assert message["Subject"].startswith("Sundqvists: ")
    assert message["Message-ID"].endswith("@example.org>")
