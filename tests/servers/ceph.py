"""A real Ceph object store: one mon, one osd and one radosgw in a folder, no systemd, no root."""

import contextlib
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

from tests.servers.machine import free_port, program, require, running, wait_until
from tests.servers.s3_server import S3Server, certificates

__all__ = ["ceph_rgw"]

_INSTALL = "apt-get install -y --no-install-recommends ceph-mon ceph-osd radosgw ceph-common"

# Loopback only: messenger v2 and 127.0.0.1 as the public and cluster address. No keys between the daemons, for which
# the gateway needs "ms mon client mode = crc", or it waits for ever. A mon that proposes every 50 ms is ready in
# 1.5 s; the default of 1 s makes it 11 s. One osd: size 1, and "chooseleaf type = 0". Without tcp_nodelay, each answer
# with a body takes 40 ms longer.
_CONF = """
[global]
fsid = {fsid}
mon host = [v2:127.0.0.1:{mon_port}]
ms bind msgr1 = false
public addr = 127.0.0.1
cluster addr = 127.0.0.1
public network = 127.0.0.0/8
cluster network = 127.0.0.0/8
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 8
osd pool default pgp num = 8
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon warn on pool no redundancy = false
mon data avail crit = 1
mon data avail warn = 2
mon tick interval = 1
paxos propose interval = 0.05
paxos min wait = 0.01
run dir = {folder}/run
admin socket = {folder}/run/$name.$pid.asok
pid file = {folder}/run/$name.pid
log file = {folder}/log/$name.log
mon cluster log file = {folder}/log/cluster.log
crash dir = {folder}/log
[mon.a]
mon data = {folder}/mon
[osd]
osd data = {folder}/osd0
osd objectstore = memstore
memstore device bytes = 2147483648
osd memory target = 939524096
osd class load list = *
osd class default list = *
osd op num shards = 2
[client.rgw]
ms mon client mode = crc
rgw frontends = beast tcp_nodelay=1 {frontend}
rgw thread pool size = 64
rgw enable usage log = false
rgw enable ops log = false
rgw override bucket index max shards = 1
rgw crypt require ssl = false
"""


@contextlib.contextmanager
def ceph_rgw(tmp: Path, tls: bool = False) -> Iterator[S3Server]:
    """A Ceph cluster in memory with its S3 gateway; ready in about 2 s, 135 MB."""
    require(all(map(program, ("ceph-mon", "ceph-osd", "radosgw", "ceph"))), "Ceph", _INSTALL)
    with contextlib.ExitStack() as stack:
        port, frontend, verify = free_port(), "endpoint=127.0.0.1:{}", True
        if tls:
            verify, chain, key = stack.enter_context(certificates(tmp))
            frontend = f"ssl_endpoint=127.0.0.1:{{}} ssl_certificate={chain} ssl_private_key={key}"
        cluster = _Cluster(tmp, frontend.format(port))
        cluster.start(stack)
        scheme = "https" if tls else "http"
        server = S3Server(endpoint_url=f"{scheme}://127.0.0.1:{port}", create="atomic", verify=verify)
        server.wait(tmp / "log")
        cluster.add_user(server)
        yield server


class _Cluster:
    """The daemons, in the order in which each finds the one it needs; killed in reverse, as memory keeps nothing."""

    def __init__(self, folder: Path, frontend: str) -> None:
        self.folder, self.conf, self.mon_port = folder, folder / "ceph.conf", free_port()
        self.fsid = uuid.uuid4()
        for name in ("mon", "osd0", "run", "log"):
            (folder / name).mkdir(parents=True)
        text = _CONF.format(fsid=self.fsid, mon_port=self.mon_port, folder=folder, frontend=frontend)
        self.conf.write_text(text)

    def start(self, stack: contextlib.ExitStack) -> None:
        address, monmap = f"[v2:127.0.0.1:{self.mon_port}]", str(self.folder / "monmap")
        self._run("monmaptool", "--create", "--fsid", str(self.fsid), "--addv", "a", address, monmap)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)
        self._daemon(stack, "ceph-mon", "-i", "a")
        osd = str(uuid.uuid4())
        wait_until(lambda: self._try("ceph", "--connect-timeout", "5", "osd", "new", osd), "ceph-mon answers")
        self._run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", osd)
        self._daemon(stack, "ceph-osd", "-i", "0")
        self._daemon(stack, "radosgw", "-n", "client.rgw")

    def add_user(self, server: S3Server) -> None:
        keys = (f"--access-key={server.access_key}", f"--secret-key={server.secret_key}")
        self._run("radosgw-admin", "user", "create", "--uid=hitl", "--display-name=hitl", *keys)

    def _daemon(self, stack: contextlib.ExitStack, name: str, *arguments: str) -> None:
        argv = (name, "-c", str(self.conf), *arguments, "--foreground")
        stack.enter_context(running(argv, self.folder / "log" / f"{name}.out", patience_s=0.2))

    def _run(self, name: str, *arguments: str) -> None:
        if not self._try(name, *arguments):
            raise RuntimeError(f"{name} failed; see {self.folder}/log")

    def _try(self, name: str, *arguments: str) -> bool:
        config = () if name == "monmaptool" else ("-c", str(self.conf))
        with (self.folder / "log" / "setup.out").open("ab") as log:
            return subprocess.run([name, *config, *arguments], stdout=log, stderr=log, timeout=60).returncode == 0
