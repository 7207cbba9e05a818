"""Checks of the Prefect server: its version, who may reach it, where its links lead, its clock and its settings."""

from urllib.parse import urlsplit

from prefect import __version__
from prefect.settings import PREFECT_RESULTS_DEFAULT_STORAGE_BLOCK, PREFECT_RESULTS_PERSIST_BY_DEFAULT

from hitl_prefect.checks.finding import Check
from hitl_prefect.checks.seen import Seen
from hitl_prefect.hosts import is_loopback

__all__ = ["is_of_this_machine", "of_server"]

_CLOCK_S = 5.0
"""Deadlines compare the server's clock with a worker's; so much apart nobody notices."""
_OFTEN_S = 60.0
_MANY_RUNS = "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED=false"


def of_server(seen: Seen, *, ui: str, page: str) -> list[Check]:
    """What a server that answered gives cause to say.

    Args:
        seen: The server.
        ui: `PREFECT_UI_URL`; empty where it is not set.
        page: What the pages of flow runs stand below, as messages link to them.
    """
    return [_version(seen), _access(seen), _links(seen, ui, page), _clock(seen), _expiry(seen), _results(seen)]


def is_of_this_machine(url: str) -> bool:
    """Whether an address leads nowhere but to the machine that uses it.

    >>> is_of_this_machine("http://127.0.0.1:4200/api"), is_of_this_machine("https://prefect.example.com/api")
    (True, False)
    """
    return is_loopback(urlsplit(url).hostname or "")


def _version(seen: Seen) -> Check:
    found = f"{seen.url} runs Prefect {seen.version}"
    theirs, ours = (_numbers(version) for version in (seen.version, __version__))
    if theirs < ours and not seen.is_cloud:
        follows = f"update the server first: Prefect {__version__} here expects one at least as new"
        return Check(what="server", state="warn", found=found, follows=follows)
    return Check(what="server", state="ok", found=found)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())


def _access(seen: Seen) -> Check:
    what = "access"
    if seen.is_open:
        where = f"{exposed} and " if (exposed := _exposed(seen)) else ""
        keep = "" if where else "keep it on this machine (start it without `--host`), or "
        return Check(
            what=what,
            state="warn",
            found=f"the server {where}asks for no password: whoever reaches it can answer every review",
            follows=f"{keep}set PREFECT_SERVER_API_AUTH_STRING=user:password on the server, and "
            "PREFECT_API_AUTH_STRING here and where workers run",
        )
    if seen.url.startswith("http:") and not is_of_this_machine(seen.url):
        return Check(
            what=what,
            state="warn",
            found="the password goes over the network as it is: the address begins with http:",
            follows="put TLS in front of the server, and name it as https://…",
        )
    return Check(what=what, state="ok", found="the server asks for a password, and takes ours")


def _exposed(seen: Seen) -> str:
    """Where others reach it; empty where it does not tell: `--host` of `prefect server start` stands in no setting."""
    if not is_of_this_machine(seen.url):
        return f"is at {seen.url}"
    return "" if not seen.listens_on or is_loopback(seen.listens_on) else f"listens on {seen.listens_on}"


def _links(seen: Seen, ui: str, page: str) -> Check:
    found = f"forms open below {page}"
    if is_of_this_machine(page) and (not ui or not is_of_this_machine(seen.url)):
        follows = "set PREFECT_UI_URL, here and where workers run, to the address at which reviewers reach the UI"
        return Check(what="links", state="warn", found=f"{found}: only on this machine", follows=follows)
    return Check(what="links", state="ok", found=found)


def _clock(seen: Seen) -> Check:
    apart = abs(seen.ahead_s)
    if apart <= _CLOCK_S:
        return Check(what="clock", state="ok", found="the server's and ours agree to a few seconds")
    side = "ahead of" if seen.ahead_s > 0 else "behind"
    return Check(
        what="clock",
        state="warn",
        found=f"the server's is {apart:.0f} s {side} ours: deadlines act by so much too early or too late",
        follows="synchronise both with NTP",
    )


def _expiry(seen: Seen) -> Check:
    if seen.expires_every_s is None:
        return Check(what="pause expiry", state="ok", found="off, or not told; reviews end by their policy's deadline")
    found = f"the server reads every waiting run each {seen.expires_every_s:g} s"
    if seen.expires_every_s >= _OFTEN_S:
        return Check(what="pause expiry", state="ok", found=found)
    return Check(
        what="pause expiry",
        state="warn",
        found=f"{found}, for reviews in vain: 22% of a core with 3,600 of them",
        follows=f"{_MANY_RUNS} on the server; or, where other flows pause with a timeout, "
        "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_LOOP_SECONDS=60",
    )


def _results(seen: Seen) -> Check:
    """Reviews need no result storage: what a run did stands in Prefect's database. The user's own tasks may."""
    if PREFECT_RESULTS_DEFAULT_STORAGE_BLOCK.value() or seen.keeps_results:
        return Check(what="results", state="ok", found="kept in a block that all workers share")
    if not PREFECT_RESULTS_PERSIST_BY_DEFAULT.value():
        return Check(what="results", state="ok", found="not kept; reviews go on without")
    return Check(
        what="results",
        state="warn",
        found="kept in a folder of the worker that made them: elsewhere, tasks before a review run twice",
        follows="name a block of a bucket in PREFECT_DEFAULT_RESULT_STORAGE_BLOCK, such as s3-bucket/results",
    )
