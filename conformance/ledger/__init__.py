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
from conformance.ledger.ledger import Ledger

__all__ = ["Deployment", "Ledger", "Listing", "ModelVersion", "Pipeline", "PipelineVersion", "Stage", "models_named"]
