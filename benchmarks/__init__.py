"""Benchmarks on recorded answers, run through real servers."""
