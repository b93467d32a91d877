"""What of the API a user's files touch: `read_usage` for scripts, notebooks, shell lines and HAR files."""

from conformance.drift.usage.calls import Place, Use
from conformance.drift.usage.reading import Exchanges, Usage, read_usage

__all__ = ["Exchanges", "Place", "Usage", "Use", "read_usage"]
