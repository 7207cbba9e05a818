"""Do the benchmarks count what happened?"""
