"""The lowered transforms, by family. Importing this package registers them."""

from augment.plan.transforms import affine as affine
from augment.plan.transforms import channels as channels
from augment.plan.transforms import crop_and_pad as crop_and_pad
from augment.plan.transforms import crops as crops
from augment.plan.transforms import dropout as dropout
from augment.plan.transforms import flips as flips
from augment.plan.transforms import histogram as histogram
from augment.plan.transforms import jitter as jitter
from augment.plan.transforms import levels as levels
from augment.plan.transforms import normalize as normalize
from augment.plan.transforms import pads as pads
from augment.plan.transforms import perspective as perspective
from augment.plan.transforms import resizes as resizes
from augment.plan.transforms import rotate as rotate
