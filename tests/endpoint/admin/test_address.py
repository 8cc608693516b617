import socket
from pathlib import Path

from famichat.endpoint.admin.address import admin_address


def test_a_socket_with_a_long_path_can_be_bound_and_connected_to(tmp_path: Path) -> None:
    data_dir = tmp_path / ("d" * 100)
    (data_dir / "run").mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        with admin_address(data_dir) as address:
            listener.bind(address)
        listener.listen()
        with admin_address(data_dir) as address:
            client.connect(address)

    assert (data_dir / "run" / "admin.sock").is_socket()
