"""The version, in one place; setup.cfg reads it from here."""

__version__ = "0.1.0"

MODEL_VERSION = 1
"""Raised by every change after which the same configuration gives another result: what a store
holds of an older one is then computed again. tests/sweeps/test_model_version.py notices."""
