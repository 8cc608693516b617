import pytest

from famichat.accounts.sign_in.token import Identity
from famichat.chat.errors import InvalidMessage
from famichat.endpoint.channels.connected_device import REPORT_EXPIRY_SECONDS, ConnectedDevice


class Clock:
    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def device(clock: Clock) -> ConnectedDevice:
    return ConnectedDevice(Identity("1", "2", "maja"), clock)


def test_a_client_that_never_reports_is_attentive(device: ConnectedDevice) -> None:
    assert device.attentive


def test_a_report_changes_the_attention(device: ConnectedDevice) -> None:
    attentive = []
    for foreground in (False, True):
        device.report({"foreground": foreground})
        attentive.append(device.attentive)

    assert attentive == [False, True]


def test_silence_means_background(device: ConnectedDevice, clock: Clock) -> None:
    device.report({"foreground": True})
    attentive = []
    for seconds in (REPORT_EXPIRY_SECONDS - 0.1, 0.1):
        clock.seconds += seconds
        attentive.append(device.attentive)
    device.report({"foreground": True})

    assert [*attentive, device.attentive] == [True, False, True]


@pytest.mark.parametrize("payload", [{}, {"foreground": "yes"}, {"foreground": None}, {"foreground": 1}])
def test_a_malformed_report_is_refused(device: ConnectedDevice, payload: dict[str, object]) -> None:
    with pytest.raises(InvalidMessage):
        device.report(payload)
