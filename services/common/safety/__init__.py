"""Safety policy: a classifier looks at what comes in and at what would go out.

``classifier.py`` says what a classifier is, ``remote.py`` is one behind HTTP, ``policy.py`` opens
the one that a setting names and lets nothing pass that it did not allow.
"""

from services.common.safety.classifier import Classifier, Subject, SubjectKind, Verdict
from services.common.safety.policy import SafetyPolicy, open_policy

__all__ = ["Classifier", "SafetyPolicy", "Subject", "SubjectKind", "Verdict", "open_policy"]
