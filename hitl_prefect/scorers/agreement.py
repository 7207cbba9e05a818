"""Agreement: does another sample, another model or another wording give the same answer?

Source: self-consistency as in Wang et al. (2023), arXiv 2203.11171. Agreement with a second provider catches the
confident errors that a model repeats: Hamidieh et al. (2026), arXiv 2604.17112.
"""

from statistics import fmean
from typing import Literal

from pydantic import Field

from hitl_prefect.errors import ConfigError
from hitl_prefect.models import Case, Part
from hitl_prefect.protocols import Reply, Request
from hitl_prefect.scorers.base import Asking, Sitting, Wanted
from hitl_prefect.scorers.costs import together
from hitl_prefect.scorers.equality import same_by_field
from hitl_prefect.scorers.sampling import asked, reading_of, reworded, samples

__all__ = ["Agreement"]


class Agreement(Asking):
    """Share of further answers that say the same as the draft, field by field.

    A refusal and an answer that does not validate agree with nothing. Asked beside the draft, so that it costs money
    but no time.
    """

    kind: Literal["agreement"] = "agreement"
    model: str | None = None
    """Who is asked: `provider:name`, a block, `second`; `None` is the model that drafted."""
    samples: int = Field(default=1, ge=1, le=20)
    """Further answers to the same prompt. With `variants` the case's own variants are asked instead."""
    variants: bool = False
    """Ask each of `Case.variants` once."""
    fields: tuple[str, ...] = ()
    """The top-level fields that count; empty is all."""

    @property
    def name(self) -> str:
        """Such as `agreement`, `agreement:second`, `agreement:variants`."""
        told = [self.model, "variants" if self.variants else None]
        return ":".join(["agreement", *(word for word in told if word)])

    @property
    def models(self) -> tuple[str | None, ...]:
        """The one model that is asked."""
        return (self.model,)

    def ahead(self, case: Case, request: Request) -> tuple[Wanted, ...]:
        """All that it asks: nothing hangs on the draft."""
        if self.variants:
            return reworded(request, case, model=self.model)
        return samples(request, model=self.model, count=self.samples)

    async def look(self, sitting: Sitting) -> Part:
        """Ask, and compare.

        Raises:
            ProviderError: If one of the answers could not be had.
            ConfigError: If `variants` is on and the case has none.
        """
        wanted = self.ahead(sitting.case, sitting.asker.request)
        if not wanted:
            raise ConfigError("the case has no variants: give `Case.variants`, or ask for `samples`")
        replies = await asked(sitting, wanted)
        found = [self._compared(sitting, reply) for reply in replies]
        fields = {name: fmean(one[name] for one in found) for name in found[0]}
        return Part(
            name=self.name,
            confidence=fmean(fields.values()),
            reason=f"{sum(all(one.values()) for one in found)} of {len(found)} say the same",
            fields=fields if isinstance(sitting.generation.answer, dict) else {},
            cost_usd=together(reply.cost_usd for reply in replies),
        )

    def _compared(self, sitting: Sitting, reply: Reply) -> dict[str, bool]:
        reading = reading_of(sitting.case, reply)
        found = same_by_field(sitting.generation.answer, reading.answer, self.fields)
        return {name: same and not reading.problems for name, same in found.items()}
