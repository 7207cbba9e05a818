"""Every error of hitl_prefect, drawn as a tree.

```
HitlError
├── ConfigError              the author of the flow must change something; never retried
│   ├── BudgetSpent          the flow run has spent its policy's `max_cost_usd`
│   ├── FormError            a field that the Prefect UI cannot submit
│   └── MissingExtra         an optional package is not installed
├── ProviderError            the model's side
│   ├── TryAgain             retryable, after `retry_after_s`
│   │   ├── RateLimited          asked to slow down
│   │   └── ProviderUnavailable  overloaded, connection lost, timed out, cut off
│   └── ProviderDenied       key, permission or request refused
├── StoreError               the bucket's side
│   ├── StoreUnavailable     retryable: connection, time-out, throttling, 5xx
│   ├── StoreDenied          key, permission, missing bucket
│   ├── ObjectMissing        nothing stands under that key
│   └── OutcomeConflict      another outcome already stands under the key; quarantined
│       └── CaseForgotten        the case was forgotten on request; nothing is kept of ours
└── ReviewError              the reviewer's side
    ├── ServerUnreachable    retryable: no Prefect server answers
    ├── UnknownRun           no such flow run, or it is not one of ours
    ├── NotWaiting           already answered, or not waiting for a person
    └── AnswerRefused        the form or the server refused what was typed
```

A class tells who must act and, by `retryable`, whether trying again can help. Nobody parses messages.
"""

__all__ = [
    "AnswerRefused",
    "BudgetSpent",
    "CaseForgotten",
    "ConfigError",
    "FormError",
    "HitlError",
    "MissingExtra",
    "NotWaiting",
    "ObjectMissing",
    "OutcomeConflict",
    "ProviderDenied",
    "ProviderError",
    "ProviderUnavailable",
    "RateLimited",
    "ReviewError",
    "ServerUnreachable",
    "StoreDenied",
    "StoreError",
    "StoreUnavailable",
    "TryAgain",
    "UnknownRun",
]


class HitlError(Exception):
    """The root: `except HitlError` catches everything that this package raises on purpose."""

    retryable: bool = False


class ConfigError(HitlError):
    """Something in the flow, policy, block or environment must be changed."""


class BudgetSpent(ConfigError):
    """The flow run has spent what its policy allows, or nobody knows: raise `max_cost_usd` and retry the run."""


class FormError(ConfigError):
    """An answer type holds a field that a person could not submit in the Prefect UI."""


class MissingExtra(ConfigError):
    """An optional package is not installed; the message holds the install line."""


class ProviderError(HitlError):
    """The model could not be asked, or gave no reply."""


class TryAgain(ProviderError):
    """Trying again can help."""

    retryable = True

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message, retry_after_s)
        self.retry_after_s = retry_after_s
        """Seconds that the provider asked us to wait, where it said so."""

    def __str__(self) -> str:
        return str(self.args[0])


class RateLimited(TryAgain):
    """The provider asked us to slow down."""


class ProviderUnavailable(TryAgain):
    """Overloaded, unreachable, timed out or cut off in the middle."""


class ProviderDenied(ProviderError):
    """The key, the permission or the request itself was refused; trying again cannot help."""


class StoreError(HitlError):
    """The store did not do what was asked."""


class StoreUnavailable(StoreError):
    """Connection, time-out, throttling or a server error; whether anything was written is unknown."""

    retryable = True


class StoreDenied(StoreError):
    """The key, the permission or the bucket is wrong."""


class ObjectMissing(StoreError):
    """Nothing stands under that key."""


class OutcomeConflict(StoreError):
    """A different outcome already stands under the key; ours was quarantined, nothing was overwritten."""


class CaseForgotten(OutcomeConflict):
    """A tombstone stands in place of the case's outcome: give what comes anew another id."""


class ReviewError(HitlError):
    """A review could not be opened, found or answered."""


class ServerUnreachable(ReviewError):
    """No Prefect server answers at the configured address."""

    retryable = True


class UnknownRun(ReviewError):
    """There is no such flow run, or it never asked a person anything."""


class NotWaiting(ReviewError):
    """The flow run was already answered, or does not wait for a person."""


class AnswerRefused(ReviewError):
    """What was typed does not fit the form, or contradicts itself."""

    def __init__(self, errors: tuple[str, ...]) -> None:
        super().__init__(errors)
        self.errors = errors
        """One sentence per problem, the field first."""

    def __str__(self) -> str:
        return "; ".join(self.errors)
