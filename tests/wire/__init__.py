"""Do we send and read what the real APIs speak?"""
