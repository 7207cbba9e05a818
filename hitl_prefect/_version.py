"""The version, read by the build, the package and every stored outcome."""

__version__ = "0.1.0"
