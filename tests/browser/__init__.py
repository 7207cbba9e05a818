"""Can a person do it? Chromium on both of Prefect's UIs."""
