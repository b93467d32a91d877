"""The ledger: what the exchanges so far say exists."""

from conformance.ledger.entries import (
    Deployment,
    Listing,
    ModelVersion,
    Pipeline,
    PipelineVersion,
    Stage,
    models_named,
)
from conformance.ledger.ledger import Ledger, is_of_absence, says_absent

__all__ = [
    "Deployment",
    "Ledger",
    "Listing",
    "ModelVersion",
    "Pipeline",
    "PipelineVersion",
    "Stage",
    "is_of_absence",
    "models_named",
    "says_absent",
]
