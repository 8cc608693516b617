import pytest
from pydantic import BaseModel, ValidationError

from famichat.endpoint.schemas.binary import Key, decode, encode


class Model(BaseModel):
    key: Key


def test_a_value_has_one_form_and_is_encoded_as_it_was_read() -> None:
    text = "A" * 42 + "8"

    assert encode(decode(text)) == text
    assert Model(key=decode(text)).model_dump_json() == f'{{"key":"{text}"}}'
    assert Model.model_validate({"key": text}).key == decode(text)


@pytest.mark.parametrize("text", ["", "AA", "A" * 42 + "=", "A" * 42 + "B", "!" * 43, "A" * 44, 7, None])
def test_a_key_is_32_bytes_in_base64url_without_padding(text: object) -> None:
    with pytest.raises(ValidationError):
        Model.model_validate({"key": text})
