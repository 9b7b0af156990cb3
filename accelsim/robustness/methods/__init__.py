"""What attacks run in torch and Foolbox; imported by an attack only when it is run."""

import os
import warnings

# Foolbox can fetch models by git, and would warn of a machine without it.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
with warnings.catch_warnings():
    # It imports a name from where SciPy had it before.
    warnings.simplefilter("ignore", DeprecationWarning)
    from foolbox import PyTorchModel

__all__ = ["PyTorchModel"]
