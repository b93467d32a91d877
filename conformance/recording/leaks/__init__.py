"""The leak gate: finds credentials and personal data that survived in any file.

It is the second pair of eyes behind the redaction, and shares no code, name list or pattern with it: where the one
errs, the other must not err alike.
"""

from __future__ import annotations

from conformance.recording.leaks.files import Leak, scan
from conformance.recording.leaks.views import leaks

__all__ = ["Leak", "leaks", "scan"]
