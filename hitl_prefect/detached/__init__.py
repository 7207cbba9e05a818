"""Reviews that wait in a flow run of their own, which is created already suspended: no process, no waiting flow."""

from hitl_prefect.detached.asked import Detached, Member
from hitl_prefect.detached.opening import aopen_reviews, open_reviews
from hitl_prefect.detached.repairing import arepair_reviews, repair_reviews

__all__ = ["Detached", "Member", "aopen_reviews", "arepair_reviews", "open_reviews", "repair_reviews"]
