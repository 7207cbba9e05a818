"""Do README, docs and demo run?"""
