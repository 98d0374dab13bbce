"""Resolves a declaration against a source: learns shapes and classes, balances weights, encodes labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from polyhead.errors import BadValue, ContractError, DataError, Problem, place, warn
from polyhead.kinds import Each, Head, Image, Input, for_boxes, is_each
from polyhead.kinds.declaration import KnownHeads
from polyhead.kinds.sample_weights import weights_key
from polyhead.pipeline.feed_arguments import given_first
from polyhead.pipeline.image_pipeline import Scene, is_rendered, needs_scene
from polyhead.pipeline.input_warnings import input_problems, label_problems, leaks
from polyhead.pipeline.kind_columns import KindColumns, absent_columns, resolve_error
from polyhead.pipeline.label_encoder import Labels
from polyhead.pipeline.label_sources import BoxLabels, SceneLabels, resolve_head
from polyhead.pipeline.row_mixing import split_augmentations
from polyhead.pipeline.unmoved_targets import require_images, require_moving, require_unit, transposed_sides
from polyhead.pipeline.weight_columns import along_boxes, prepare, require_still
from polyhead.sources.source import Source


class Resolution:
    """A declaration, resolved against a source.

    Args:
        inputs: ``{name: input kind}``.
        heads: ``{name: head kind}``.
        augment: the augmentations of images and their labels, followed by those that mix rows.

    Attributes:
        collapsing: the warning of each input of integers that become equal if the model converts them to float32.
        scene: the scene of the images, if images or masks are decoded, resized or augmented; else None.
        box_labels: the labels and weights of boxes, of heads whose labels are read batch by batch.

    Raises:
        DataError: for a missing column, or one that does not fit its kind.
        ContractError: if ``given`` names no binary head or forms a circle, or if rows cannot be mixed.
    """

    def __init__(
        self,
        source: Source,
        inputs: Mapping[str, Input],
        heads: Mapping[str, Head],
        augment: Sequence[Any],
        seed: int,
    ) -> None:
        # known heads are those of a model or of another feed, which has warned of them
        self._are_new = bool(heads) and not isinstance(heads, KnownHeads)
        heads = for_boxes(heads)
        problems = absent_columns(source, inputs, heads)
        if problems:
            raise DataError(*problems)
        self._source, self._errors, self._warnings = source, list[Problem](), list[Problem]()
        self.inputs: dict[str, Input] = {}
        self.heads: dict[str, Head] = {}
        self.collapsing: dict[str, Problem] = {}
        self.labels: dict[str, Labels] = {}
        self.box_labels: dict[str, BoxLabels] = {}
        for name, kind in inputs.items():
            self._resolve_input(name, kind)
        heads = self._with_facts(prepare(source, heads))
        self._box_weights = along_boxes(source, heads)
        moves, self.mixers = split_augmentations(augment)
        require_images(inputs, heads)
        self.scene = None if self._errors else self._scene_of(heads, moves, seed)
        if not self._errors:
            require_unit(source, self.inputs, heads)
        for name in given_first(heads):
            self._resolve_head(name, heads[name])
        if self.scene is None:
            self._errors.extend(transposed_sides(source, self.inputs, self.heads))
        if self._errors:
            raise DataError(*dict.fromkeys(self._errors))  # several kinds may report the same failed read
        self.heads = {name: self.heads[name] for name in heads}
        self.labels = {name: self.labels[name] for name in heads}
        self.box_labels = {name: b for name, b in self.box_labels.items() if not self.labels[name].ready}
        if self.scene is not None:
            require_moving(self.scene, self.inputs, self.heads, moves)
        if self._are_new:
            self._warnings += leaks(self.inputs, self.heads)
            for name, head in self.heads.items():
                self._warnings += label_problems(name, head, source)
        for problem in self._warnings:
            warn(problem)

    def _resolve_input(self, name: str, kind: Input) -> None:
        try:
            column = KindColumns(self._source, kind.columns(name))
            self.inputs[name] = resolved = kind.with_facts(column).resolve(column)
            if self._are_new:
                for problem in input_problems(name, kind, resolved, column.probe(), len(self._source)):
                    if problem.code == "collapsed" and resolved.dtype == "int32":
                        self.collapsing[name] = problem
                    else:
                        self._warnings.append(problem)
        except BadValue as bad:
            self._errors.extend(resolve_error(self._source, kind, name, bad).problems)
        except DataError as error:
            self._errors.extend(error.problems)

    def _with_facts(self, heads: Mapping[str, Head]) -> dict[str, Head]:
        """The heads with what the source knows about their columns."""
        with_facts = dict(heads)
        for name, head in heads.items():
            try:
                with_facts[name] = head.with_facts(KindColumns(self._source, head.columns(name)))
            except DataError as error:
                self._add_of_head(name, error)
        return with_facts

    def _scene_of(self, heads: Mapping[str, Head], augment: Sequence[Any], seed: int) -> Scene | None:
        source = self._source
        images = {name: kind for name, kind in self.inputs.items() if isinstance(kind, Image)}
        in_image = {name: head for name, head in heads.items() if head.layer is not None}
        resized = needs_scene(source, images, in_image)
        if not resized and not augment:
            return None
        require_still(source, in_image, resized, augment)
        keys = {weights_key(name) for name in in_image}
        weights = {name: w for name, w in self._box_weights.items() if name in keys}
        return Scene(source, images, {**in_image, **weights}, augment, seed)

    def _resolve_head(self, name: str, head: Head) -> None:
        if self._errors and self.scene is None and is_rendered(self._source, name, head):
            return  # its labels depend on an input that has an error
        try:
            if self.scene is not None and head.layer is not None:
                self._resolve_in_scene(name, head, self.scene)
            else:
                box_labels = self._box_labels(name, head)
                rows = self._source if box_labels is None else box_labels
                self._add_labels(name, resolve_head(rows, head, name, self._given(head)), rows)
        except DataError as error:
            self._errors.extend(error.problems)
        except ContractError as error:
            self._add_of_head(name, error)

    def _resolve_in_scene(self, name: str, head: Head, scene: Scene) -> None:
        rows = SceneLabels(scene, name)
        resolved = resolve_head(rows, scene.heads[name], name, self._given(head))
        if resolved.class_weight == "balanced" and scene.joint.uncovers:
            # by annotated pixels, not by those filled in outside of the image
            alone, drawn = scene.with_drawn_labels(name)
            within = SceneLabels(alone, name)
            drawn = drawn.resolve(KindColumns(within, drawn.columns(name)))
            weights = Labels(name, drawn, within, self._given(resolved)).head.class_weight
            resolved = resolved.fixed(class_weight=weights)
        scene.heads[name] = self._add_labels(name, resolved, rows)
        self.heads[name] = scene.heads[name].for_column(head)

    def _box_labels(self, name: str, head: Head) -> BoxLabels | None:
        """The source of the labels or weights of a head with one for each box; None for other heads."""
        eaches: dict[str, Each] = {name: head} if is_each(head) else {}
        if weights_key(name) in self._box_weights:
            eaches[weights_key(name)] = self._box_weights[weights_key(name)]
        if not eaches:
            return None
        self.box_labels[name] = BoxLabels(self._source, name, eaches, head.reads(name))
        return self.box_labels[name]

    def _add_labels(self, name: str, head: Head, rows: Source) -> Head:
        self.labels[name] = Labels(name, head, rows, self._given(head))
        self.heads[name] = self.labels[name].head
        return self.heads[name]

    def _given(self, head: Head) -> Labels | None:
        return self.labels.get(head.given or "")

    def _add_of_head(self, name: str, error: DataError | ContractError) -> None:
        self._errors.extend(replace(p, place=f"{place(head=name)}, {p.place}") for p in error.problems)
