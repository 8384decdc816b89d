"""What stands between a model and the caller: safety policy and provenance.

``gate.py`` joins them; ``provenance.py`` writes into the files what made them, ``signing.py``
signs that where there is a key.
"""

from services.worker.release.gate import ReleaseGate
from services.worker.release.signing import ContentSigner

__all__ = ["ContentSigner", "ReleaseGate"]
