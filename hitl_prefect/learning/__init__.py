"""Learning from what people decided: a classifier of one's own, which cases to label next, clusters to label whole."""

from hitl_prefect.learning.choosing import Spread, Strategy, select_for_labels, select_spread
from hitl_prefect.learning.clustering import cluster_cases
from hitl_prefect.learning.clusters import (
    Cluster,
    ClusterName,
    Clusters,
    Text,
    clusters_task,
    keep_clusters,
    label_by_cluster,
    labels_of_clusters,
    read_clusters,
)
from hitl_prefect.learning.labelled import LabelHow, Labelled, label_of, labelled, text_of
from hitl_prefect.learning.stored_models import StoredModel, keep_model, newest_version, read_model
from hitl_prefect.learning.text_classifier import HeldOut, TextClassifier
from hitl_prefect.learning.training import FEWEST_LABELS, train_classifier

__all__ = [
    "FEWEST_LABELS",
    "Cluster",
    "ClusterName",
    "Clusters",
    "HeldOut",
    "LabelHow",
    "Labelled",
    "Spread",
    "StoredModel",
    "Strategy",
    "Text",
    "TextClassifier",
    "cluster_cases",
    "clusters_task",
    "keep_clusters",
    "keep_model",
    "label_by_cluster",
    "label_of",
    "labelled",
    "labels_of_clusters",
    "newest_version",
    "read_clusters",
    "read_model",
    "select_for_labels",
    "select_spread",
    "text_of",
    "train_classifier",
]
