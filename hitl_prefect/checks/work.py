"""Checks of what is deployed: does anybody run it, does the upkeep come by, are the blocks there that it names."""

import os
from collections.abc import Mapping

from hitl_prefect.checks.finding import Check
from hitl_prefect.checks.seen import KINDS, Deployed, Pool, Seen
from hitl_prefect.detached.deployment import POOL
from hitl_prefect.provider_keys import KEYS, key_of

__all__ = ["of_work"]

_DEPLOY = "`prefect --no-prompt deploy --all --prefect-file deployments/prefect.yaml`"
_SLUGS = {f"hitl-{provider}-model": variable for provider, variable in KEYS.items()}


def of_work(seen: Seen, environment: Mapping[str, str] = os.environ) -> list[Check]:
    """What the deployments of a server give cause to say, and the keys of `environment`."""
    pools = {pool.name: pool for pool in seen.pools}
    named = sorted({*seen.pools_named(), *pools})
    work = [_pool(name, pools[name]) if name in pools else _missing(name) for name in named]
    return [_deployments(seen), *work, _upkeep(seen), _blocks(seen), _keys(seen, environment)]


def _deployments(seen: Seen) -> Check:
    if not seen.deployments:
        return Check(what="deployments", state="warn", found="none with a tag that begins with hitl", follows=_DEPLOY)
    count = len(seen.deployments)
    return Check(what="deployments", state="ok", found=f"{count} with a tag that begins with hitl")


def _pool(name: str, pool: Pool) -> Check:
    what = f"work pool {name}"
    if pool.is_paused:
        return Check(what=what, state="fail", found="it is paused", follows=f"`prefect work-pool resume {name}`")
    if not pool.needs_worker:
        return Check(what=what, state="ok", found=f"of type {pool.kind}, which needs no worker")
    if not pool.workers:
        found = "no worker is online: what is started or answered there stands still"
        return Check(what=what, state="fail", found=found, follows=f"start one: {_worker(name, pool.kind)}")
    workers = f"{'1 worker is' if pool.workers == 1 else f'{pool.workers} workers are'} online, of type {pool.kind}"
    if pool.late:
        follows = "start another worker, or raise its --limit"
        return Check(what=what, state="warn", found=f"{workers}, and {pool.late} runs are late", follows=follows)
    return Check(what=what, state="ok", found=workers)


def _missing(name: str) -> Check:
    made = _worker(name, "hitl") if name == POOL else f"`prefect work-pool create {name} --type process`"
    return Check(what=f"work pool {name}", state="fail", found="a deployment names it, and there is none", follows=made)


def _worker(name: str, kind: str) -> str:
    if kind != "hitl":
        return f"`prefect worker start --pool {name}`"
    return "`hitl worker`" if name == POOL else f"`hitl worker --pool {name}`"


def _upkeep(seen: Seen) -> Check:
    what = "upkeep"
    if not seen.upkeep:
        found = "chase-reviews is not deployed: no deadline acts, nobody is reminded, dead runs stay dead"
        return Check(what=what, state="warn", found=found, follows=f"deploy it: {_DEPLOY}")
    if not any(map(_comes_by, seen.upkeep)):
        found = "no schedule of chase-reviews is on: no deadline acts, nobody is reminded, dead runs stay dead"
        follows = "switch one on: `prefect deployment schedule ls chase-reviews/chase-reviews`, then `… resume`"
        return Check(what=what, state="warn", found=found, follows=follows)
    return Check(what=what, state="ok", found="chase-reviews comes by as scheduled")


def _comes_by(upkeep: Deployed) -> bool:
    return any(upkeep.schedules) and not upkeep.is_paused


def _blocks(seen: Seen) -> Check:
    wanted = {(kinds, name) for parameter, kinds in KINDS.items() for name in seen.given(parameter) if ":" not in name}
    if missing := sorted(name for kinds, name in wanted if not _is_saved(seen, kinds, name)):
        return Check(
            what="blocks",
            state="fail",
            found=f"deployments name blocks that are not saved: {', '.join(missing)}",
            follows="save them: `python blocks/save_blocks.py`",
        )
    named = ", ".join(sorted(name for _, name in wanted))
    return Check(
        what="blocks", state="ok", found=f"saved, as deployments name them: {named}" if named else "none named"
    )


def _is_saved(seen: Seen, kinds: tuple[str, ...], name: str) -> bool:
    slug, _, short = name.rpartition("/")
    return any(one.name == short and one.kind in kinds and slug in ("", one.kind) for one in seen.blocks)


def _keys(seen: Seen, environment: Mapping[str, str]) -> Check:
    """Whether keys are there. Which, nobody is told."""
    known = {variable: bool(environment.get(variable)) for variable in KEYS.values()}
    found = ", ".join(f"{variable} is {'set' if is_set else 'not set'} here" for variable, is_set in known.items())
    if lacking := sorted(variable for variable in _wanted(seen) if not known[variable]):
        follows = f"deployments ask models by {' and '.join(lacking)}: set it where their workers run"
        return Check(what="keys", state="warn", found=found, follows=follows)
    return Check(what="keys", state="ok", found=found)


def _wanted(seen: Seen) -> set[str]:
    """The variables that the models of deployments need, where no block holds their key."""
    by_name = {key_of(model) for model in seen.given("model") if ":" in model}
    named = {model.rpartition("/")[2] for model in seen.given("model") if ":" not in model}
    by_block = {_SLUGS.get(one.kind) for one in seen.blocks if one.name in named and not one.has_key}
    return {variable for variable in by_name | by_block if variable}
