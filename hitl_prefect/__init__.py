"""Human review for AI answers in Prefect flows."""

__version__ = "0.1.0"
