"""Many cases in one flow run."""

from hitl_prefect.many.running import aresolve_cases, resolve_cases

__all__ = ["aresolve_cases", "resolve_cases"]
