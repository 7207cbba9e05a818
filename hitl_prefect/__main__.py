"""`python -m hitl_prefect` is `hitl`."""

from hitl_prefect.cli import main

if __name__ == "__main__":
    main()
