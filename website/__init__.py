"""What the documentation site needs beside its pages: the command line, the examples of docstrings, and its checks."""
