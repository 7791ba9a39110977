"""The detector that is exported, and that its handler builds anew around the exported weights."""

from functools import partial

from torch import nn
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone
from torchvision.ops import FrozenBatchNorm2d

CLASSES = 91  # of COCO, the background first


def detector() -> nn.Module:
    """Faster R-CNN on ResNet-50, without weights, as those that torchvision publishes want it.

    They were trained with frozen normalization without an epsilon; torchvision's own function
    builds that only around weights that it downloads itself.
    """
    frozen = partial(FrozenBatchNorm2d, eps=0.0)
    backbone = resnet_fpn_backbone(backbone_name="resnet50", weights=None, norm_layer=frozen)
    return FasterRCNN(backbone, num_classes=CLASSES)
