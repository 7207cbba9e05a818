"""The demo: a real Prefect server, a served flow, support messages, and a person in the middle."""
