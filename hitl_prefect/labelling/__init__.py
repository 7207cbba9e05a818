"""Have people label what teaches most: a pool in rounds, or whole clusters by their names."""

from hitl_prefect.labelling.clusters import NamedClusters, aname_clusters, name_clusters
from hitl_prefect.labelling.rounds import LabelPlan, LabelRound, alabel_round, label_round

__all__ = [
    "LabelPlan",
    "LabelRound",
    "NamedClusters",
    "alabel_round",
    "aname_clusters",
    "label_round",
    "name_clusters",
]
