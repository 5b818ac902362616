"""The parameters that a plan has drawn for a batch of samples."""

from dataclasses import dataclass, field

from augment import keys
from augment.plan import geometry, kernels
from augment.plan.lowered import Columns
from augment.plan.program import Decisions


@dataclass(frozen=True, eq=False)
class Drawn:
    """What one leaf drew for a batch.

    Attributes:
        columns: its parameters.
        sizes: (height, width) of the images for which they were drawn, as they come to this leaf.
        moves: the steps of a geometric leaf.
        is_shared: whether its only row stands for all samples: they drew nothing, and their images have one size.
    """

    columns: Columns
    sizes: list[kernels.Size]
    moves: list[geometry.Moves]
    is_shared: bool = False


@dataclass(frozen=True, eq=False)
class Params:
    """The drawn parameters of a batch of N samples.

    Attributes:
        sizes: (height, width) of the images.
        decisions: which transforms each sample gets, and in which order.
        drawn: for each leaf, by its place: its parameters, with the samples that they belong to and the row of each
            (None: all, in their order); nothing for samples that do not get it.
        keys: uint64 [N], for the transforms that run as they are.
        kept: steps that have been collected already, by sample and leaves.
    """

    sizes: list[kernels.Size]
    decisions: Decisions
    drawn: dict[int, list[tuple[dict[int, int] | None, Drawn]]]
    keys: keys.Key
    kept: dict[tuple[int, ...], list[geometry.Step] | None] = field(default_factory=dict, repr=False)

    def __len__(self) -> int:
        return len(self.keys)

    def leaves(self, row: int) -> list[int]:
        """Give the places of the leaves that one sample gets, in order."""
        return self.decisions.chosen[row]

    def of(self, place: int, row: int) -> tuple[Drawn, int]:
        """Give what a leaf drew for a sample, and the row at which it stands there."""
        for rows, drawn in self.drawn[place]:
            at = row if rows is None else rows.get(row)
            if at is not None:
                return drawn, 0 if drawn.is_shared else at
        raise KeyError(f"leaf {place} drew nothing for sample {row}, which does not get it")
