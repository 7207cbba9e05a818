"""Human review for AI answers in Prefect flows.

The model answers. When it is unsure, the flow stops, shows a person a typed form already filled in, and goes on with
what the person decided; the outcome is kept.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from hitl_prefect._version import __version__

if TYPE_CHECKING:
    from hitl_prefect.batch_summary import BatchSummary
    from hitl_prefect.batches import (
        FetchedBatch,
        ReadyCase,
        afetch_batches,
        asubmit_batch,
        fetch_batches,
        submit_batch,
    )
    from hitl_prefect.batching import SubmittedBatch
    from hitl_prefect.calibrating import acalibrate, calibrate
    from hitl_prefect.case_files import cases_from_jsonl
    from hitl_prefect.chasing import (
        aend_overdue_reviews,
        aremind_reviewers,
        arevive_dead_runs,
        end_overdue_reviews,
        remind_reviewers,
        revive_dead_runs,
    )
    from hitl_prefect.classifying import Trained, atrain, train
    from hitl_prefect.concluding import conclude
    from hitl_prefect.detached import Detached, Member, aopen_reviews, arepair_reviews, open_reviews, repair_reviews
    from hitl_prefect.exporting import aexport_training, export_training
    from hitl_prefect.generating import agenerate, generate
    from hitl_prefect.inbox_page import arefresh_inbox, refresh_inbox
    from hitl_prefect.judging import ascore, score
    from hitl_prefect.labelling import (
        LabelPlan,
        LabelRound,
        NamedClusters,
        alabel_round,
        aname_clusters,
        label_round,
        name_clusters,
    )
    from hitl_prefect.many import aresolve_cases, resolve_cases
    from hitl_prefect.messages import Image, Message
    from hitl_prefect.models import Attempt, Case, Generation, Promise, Route, Score
    from hitl_prefect.outcomes import Outcome, Review, Verdict
    from hitl_prefect.people import Probes, SecondOpinion
    from hitl_prefect.pinning import apin_policy, pin_policy
    from hitl_prefect.policy import Grouping, Policy, Rule
    from hitl_prefect.prompting import awith_examples, with_examples
    from hitl_prefect.reporting import (
        acompact_outcomes,
        areport_reviewers,
        areport_trust,
        aseal_outcomes,
        compact_outcomes,
        report_reviewers,
        report_trust,
        seal_outcomes,
    )
    from hitl_prefect.resolving import aresolve_case, resolve_case
    from hitl_prefect.reviewing import areview, review
    from hitl_prefect.routing import route
    from hitl_prefect.storing import asave_outcome, save_outcome

__all__ = [
    "Attempt",
    "BatchSummary",
    "Case",
    "Detached",
    "FetchedBatch",
    "Generation",
    "Grouping",
    "Image",
    "LabelPlan",
    "LabelRound",
    "Member",
    "Message",
    "NamedClusters",
    "Outcome",
    "Policy",
    "Probes",
    "Promise",
    "ReadyCase",
    "Review",
    "Route",
    "Rule",
    "Score",
    "SecondOpinion",
    "SubmittedBatch",
    "Trained",
    "Verdict",
    "__version__",
    "acalibrate",
    "acompact_outcomes",
    "aend_overdue_reviews",
    "aexport_training",
    "afetch_batches",
    "agenerate",
    "alabel_round",
    "aname_clusters",
    "aopen_reviews",
    "apin_policy",
    "arefresh_inbox",
    "aremind_reviewers",
    "arepair_reviews",
    "areport_reviewers",
    "areport_trust",
    "aresolve_case",
    "aresolve_cases",
    "areview",
    "arevive_dead_runs",
    "asave_outcome",
    "ascore",
    "aseal_outcomes",
    "asubmit_batch",
    "atrain",
    "awith_examples",
    "calibrate",
    "cases_from_jsonl",
    "compact_outcomes",
    "conclude",
    "end_overdue_reviews",
    "export_training",
    "fetch_batches",
    "generate",
    "label_round",
    "name_clusters",
    "open_reviews",
    "pin_policy",
    "refresh_inbox",
    "remind_reviewers",
    "repair_reviews",
    "report_reviewers",
    "report_trust",
    "resolve_case",
    "resolve_cases",
    "review",
    "revive_dead_runs",
    "route",
    "save_outcome",
    "score",
    "seal_outcomes",
    "submit_batch",
    "train",
    "with_examples",
]

_HOME = {
    "batch_summary": ("BatchSummary",),
    "batches": (
        "FetchedBatch",
        "ReadyCase",
        "afetch_batches",
        "asubmit_batch",
        "fetch_batches",
        "submit_batch",
    ),
    "batching": ("SubmittedBatch",),
    "calibrating": ("acalibrate", "calibrate"),
    "case_files": ("cases_from_jsonl",),
    "chasing": (
        "aend_overdue_reviews",
        "aremind_reviewers",
        "arevive_dead_runs",
        "end_overdue_reviews",
        "remind_reviewers",
        "revive_dead_runs",
    ),
    "concluding": ("conclude",),
    "detached": ("Detached", "Member", "aopen_reviews", "arepair_reviews", "open_reviews", "repair_reviews"),
    "exporting": ("aexport_training", "export_training"),
    "generating": ("agenerate", "generate"),
    "inbox_page": ("arefresh_inbox", "refresh_inbox"),
    "labelling": (
        "LabelPlan",
        "LabelRound",
        "NamedClusters",
        "alabel_round",
        "aname_clusters",
        "label_round",
        "name_clusters",
    ),
    "many": ("aresolve_cases", "resolve_cases"),
    "messages": ("Image", "Message"),
    "models": ("Attempt", "Case", "Generation", "Promise", "Route", "Score"),
    "outcomes": ("Outcome", "Review", "Verdict"),
    "people": ("Probes", "SecondOpinion"),
    "pinning": ("apin_policy", "pin_policy"),
    "policy": ("Grouping", "Policy", "Rule"),
    "prompting": ("awith_examples", "with_examples"),
    "reporting": (
        "acompact_outcomes",
        "areport_reviewers",
        "areport_trust",
        "aseal_outcomes",
        "compact_outcomes",
        "report_reviewers",
        "report_trust",
        "seal_outcomes",
    ),
    "resolving": ("aresolve_case", "resolve_case"),
    "reviewing": ("areview", "review"),
    "routing": ("route",),
    "judging": ("ascore", "score"),
    "storing": ("asave_outcome", "save_outcome"),
    "classifying": ("Trained", "atrain", "train"),
}
_MODULE_OF = {name: module for module, names in _HOME.items() for name in names}


def __getattr__(name: str) -> object:
    # Names are loaded when they are first used: Prefect imports this package in every process that it starts.
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__() -> list[str]:
    return __all__
