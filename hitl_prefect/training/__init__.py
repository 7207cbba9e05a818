"""Training files from what people decided."""

from hitl_prefect.training.choosing import split_of, training_files
from hitl_prefect.training.files import FileFormat, LeftOut, RowFacts, TrainingFiles, TrainingSummary
from hitl_prefect.training.lessons import TRUSTED, Lesson, Tag, lesson_of
from hitl_prefect.training.openai import OpenAIDpoRow, OpenAISftRow
from hitl_prefect.training.trl import TrlDpoRow, TrlKtoRow, TrlSftRow

__all__ = [
    "TRUSTED",
    "FileFormat",
    "LeftOut",
    "Lesson",
    "OpenAIDpoRow",
    "OpenAISftRow",
    "RowFacts",
    "Tag",
    "TrainingFiles",
    "TrainingSummary",
    "TrlDpoRow",
    "TrlKtoRow",
    "TrlSftRow",
    "lesson_of",
    "split_of",
    "training_files",
]
