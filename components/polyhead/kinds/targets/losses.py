"""Cross-entropies with smoothed labels and a focus on what the network does not know yet.

A smoothed label gives a share of each row evenly to all classes (C. Szegedy et al., Rethinking the Inception
Architecture for Computer Vision, CVPR 2016). The focal loss multiplies the cross-entropy -log(p) of each class by
(1 - p)^focal (T.-Y. Lin et al., Focal Loss for Dense Object Detection, ICCV 2017).
"""

from __future__ import annotations

from typing import Any, Literal

import keras
from keras import ops

_LEAST = 1e-7


class FocusedLoss(keras.losses.Loss):  # type: ignore[misc]  # Keras is untyped
    """What the losses below have in common.

    Args:
        smoothing: Share of a row that all classes, or yes and no, share evenly; from 0 to below 1.
        focal: Exponent of the focal loss, from 0.
        reduction: As of every loss of Keras.
    """

    def __init__(self, smoothing: float, focal: float, reduction: Literal["sum", "none"]) -> None:
        super().__init__(reduction=reduction)
        self.smoothing, self.focal = smoothing, focal

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        return {"smoothing": self.smoothing, "focal": self.focal, "reduction": self.reduction}


@keras.saving.register_keras_serializable("polyhead")
class FocusedLabels(FocusedLoss):
    """Of yes or no for each label by itself.

    Input shape:
        True 0/1 and logits `(batch, labels)`; sample weights `(batch, labels)`.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses `(batch, labels)`."""
        share = y_true * (1 - self.smoothing) + self.smoothing / 2
        no_yes, no_no = ops.softplus(-y_pred), ops.softplus(y_pred)  # -log(p), -log(1 - p)
        return share * ops.exp(-self.focal * no_no) * no_yes + (1 - share) * ops.exp(-self.focal * no_yes) * no_no


@keras.saving.register_keras_serializable("polyhead")
class FocusedAnswer(FocusedLabels):
    """Of one yes or no.

    Input shape:
        True 0/1 and logits `(batch, 1)`; sample weights `(batch,)`.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses `(batch,)`."""
        return ops.squeeze(super().call(y_true, y_pred), -1)


@keras.saving.register_keras_serializable("polyhead")
class FocusedClasses(FocusedLoss):
    """Of one of several classes.

    Input shape:
        Classes, integers `(batch,)`, and logits `(batch, classes)`; sample weights `(batch,)`.
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Losses `(batch,)`."""
        classes = y_pred.shape[-1]
        logs = ops.log_softmax(y_pred)
        share = ops.one_hot(y_true, classes) * (1 - self.smoothing) + self.smoothing / classes
        if self.focal:
            logs *= ops.power(ops.maximum(1 - ops.exp(logs), _LEAST), self.focal)
        return -ops.sum(share * logs, -1)
