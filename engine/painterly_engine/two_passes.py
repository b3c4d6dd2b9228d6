"""Deep Painterly Harmonization, two passes and finishing, at working size (Luan et al. 2018, section 3)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from painterly_engine.balance import Balance, published_balance
from painterly_engine.files import jpeg_round_trip, quantise
from painterly_engine.finishing.finish import Finished, finish
from painterly_engine.masks import blend, blend_mask
from painterly_engine.matching.correlation import Query
from painterly_engine.matching.places import places
from painterly_engine.matching.reference import match_reference
from painterly_engine.matching.refine import RADIUS, refine_field
from painterly_engine.matching.ring import ring_mask
from painterly_engine.network.features import FeatureNetwork
from painterly_engine.pass_one import run_pass_one
from painterly_engine.pass_two import run_pass_two
from painterly_engine.progress import SILENT, Observer
from painterly_engine.resample import scale_bilinear, scale_nearest
from painterly_engine.style import lent, only_lent
from painterly_engine.window import box_of, features_in, receptive_field, sizes, whole_features
from painterly_engine.workspace import tile_area
from painterly_protocol.messages import Phase

REFERENCE_LAYER = "relu4_1"  # where pass 2 matches (algorithm.md 1.2)
OBJECT_LEVEL = 0.1  # tight mask values above this are object (algorithm.md 1.2 step 3)


@dataclass(frozen=True)
class Scene:
    """What is to be harmonized, at working size.

    Attributes:
        painting: (3, H, W) RGB in [0, 1], without the object.
        composite: (3, H, W), the painting with the object pasted in.
        tight: (H, W) in [0, 1], the object's mask.
        loose: (H, W) in [0, 1], where pixels may change.
        style: (3, H, W), what is imitated; None: the painting.
        lends: (H, W) in [0, 1], how much of each place of it may be; None: all of it.
    """

    painting: Tensor
    composite: Tensor
    tight: Tensor
    loose: Tensor
    style: Tensor | None = None
    lends: Tensor | None = None

    @property
    def imitated(self) -> Tensor:
        """(3, H, W)."""
        return self.painting if self.style is None else self.style


@dataclass(frozen=True)
class Harmonization:
    """
    Attributes:
        finished: the object's finished picture and how much of it shows; the passes' own went to the observer.
        ring: (h, w) bool at the reference layer, the painting's positions that pass 2 imitated.
        balance: the weights of pass 2.
    """

    finished: Finished
    ring: Tensor
    balance: Balance


def harmonize(
    scene: Scene,
    network: FeatureNetwork,
    *,
    stylization: float,
    iterations: int,
    seed: int = 0,
    observer: Observer = SILENT,
) -> Harmonization:
    """Make the object look painted.

    Args:
        scene: the pictures and masks.
        network: any feature network; one that stops early matches at its deepest layer.
        stylization: τ, the painting's stylization weight (algorithm.md 1.3), about 1 to 10.
        iterations: L-BFGS iterations of each pass.
        seed: of the randomised patch synthesis.
        observer: is told of the progress; whatever it raises ends the work.
    """
    soft_edge = blend_mask(scene.tight)
    first = jpeg_round_trip(first_pass(scene, network, iterations=iterations, observer=observer).over(scene.painting))

    ring = _painting_positions_to_imitate(first, scene, network, observer)

    balance = published_balance(scene.imitated, stylization).with_content(network.layout.content_pull)
    second = run_pass_two(
        scene.composite,
        scene.imitated,
        scene.loose,
        ring,
        network,
        weights=balance,
        iterations=iterations,
        observer=observer,
    )
    stylized = quantise(blend(second, scene.painting, soft_edge))
    observer.picture(lambda: stylized)
    observer.intermediate("second pass", stylized)

    observer.report(Phase.FINISHING, 0.0)
    finished = finish(
        stylized,
        scene.imitated,
        scene.composite,
        scene.tight,
        seed,
        partial(observer.report, Phase.FINISHING),
        scene.lends,
    )
    observer.intermediate("finished", finished.over(scene.painting))
    return Harmonization(finished, ring, balance)


def first_pass(scene: Scene, network: FeatureNetwork, *, iterations: int, observer: Observer = SILENT) -> Finished:
    """The coarse harmonization alone; arguments as in ``harmonize``."""
    observer.intermediate("tight mask", scene.tight)
    observer.intermediate("loose mask", scene.loose)
    found = run_pass_one(
        scene.composite,
        scene.imitated,
        scene.loose,
        network,
        iterations=iterations,
        observer=observer,
        lends=scene.lends,
    )
    first = Finished(found, blend_mask(scene.tight))
    observer.picture(lambda: first.over(scene.painting))
    observer.intermediate("first pass", first.over(scene.painting))
    return first


@torch.no_grad()
def _painting_positions_to_imitate(
    intermediate: Tensor, scene: Scene, network: FeatureNetwork, observer: Observer
) -> Tensor:
    """The ring mask R at the reference layer: positions of the painting that the object's patches match best (1.2); of
    another style where there is one."""
    layer = network.deepest(REFERENCE_LAYER)
    size = sizes(network, (scene.painting.shape[1], scene.painting.shape[2]))[layer]
    tight = scale_nearest((scene.tight > OBJECT_LEVEL).float(), size) > 0
    field = _reference_field(intermediate, scene, network, tight, observer)
    told = observer if scene.style is None else SILENT  # these are places of the painting, or nobody's
    told.intermediate(f"matches at {layer}", places(field, size))
    field = refine_field(field, scale_bilinear(scene.imitated, size), tight)
    told.intermediate("refined matches", places(field, size))
    ring = ring_mask(field, tight, size)
    if scene.lends is not None:
        lenders = lent(scene.lends, size)
        ring = ring & lenders if bool((ring & lenders).any()) else lenders
    told.intermediate("imitated places", ring)
    return ring


def _reference_field(
    intermediate: Tensor, scene: Scene, network: FeatureNetwork, tight: Tensor, observer: Observer
) -> Tensor:
    """(h, w): the matches of the tight mask's positions and of those that their refinement asks; elsewhere, where
    nobody looks, every position is its own."""
    layer, size = network.deepest(REFERENCE_LAYER), (tight.shape[0], tight.shape[1])
    asked = box_of(tight)
    if asked is None:
        return torch.arange(tight.numel(), device=tight.device).view(size)
    positions = asked.grown(RADIUS, size)
    query = Query(positions, positions.grown(1, size), size)
    wanted = {layer: query.given}
    area = tile_area(receptive_field(network, wanted, (intermediate.shape[1], intermediate.shape[2])))
    source = features_in(network, intermediate, wanted)[layer]
    target = only_lent(whole_features(network, scene.imitated, [layer], area)[layer], scene.lends)
    report = partial(observer.report, Phase.MATCHING)
    return query.in_whole(match_reference(source, target, report, query=query))
