"""Resolves a declaration against a source: shapes and classes learned, balanced weights worked out, labels encoded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from polyhead.errors import BadValue, ContractError, DataError, Problem, place, warn
from polyhead.kinds import Each, Head, Image, Input, for_boxes, is_each
from polyhead.kinds.declaration import KnownHeads
from polyhead.kinds.sample_weights import weights_key
from polyhead.pipeline.feed_arguments import given_first
from polyhead.pipeline.image_pipeline import Scene
from polyhead.pipeline.input_warnings import input_problems, leaks
from polyhead.pipeline.kind_columns import KindColumns, absent_columns, unresolved
from polyhead.pipeline.label_encoder import Labels
from polyhead.pipeline.label_sources import Along, Laid, resolved
from polyhead.pipeline.row_mixing import split_augmentations
from polyhead.pipeline.unmoved_targets import require_images, require_moving, require_unit, transposed_sides
from polyhead.pipeline.weight_columns import along_boxes, prepare, require_still
from polyhead.sources.scanning import first_rows
from polyhead.sources.source import Source


class Resolution:
    """A declaration, resolved against a source.

    Args:
        source: where rows are.
        inputs: ``{name: input kind}``.
        heads: ``{name: head kind}``.
        augment: augmentations of images, and of what lies in them; behind them those that mix rows.
        seed: of the augmentations.

    Attributes:
        inputs: the input kinds, resolved.
        heads: the head kinds, resolved.
        labels: of each head.
        collapsing: the warning of each input of integers that become equal if the model converts them to float32.
        scene: of the images, where they or their masks are decoded or resized, or all is augmented; else None.
        along: labels and weights that go with boxes, of heads whose labels are read batch by batch.
        mixers: the augmentations that mix rows.

    Raises:
        DataError: a missing column, or a column that cannot be what is declared.
        ContractError: ``given`` names no binary head, heads wait for each other, or rows cannot be mixed as they are
            to be.
    """

    def __init__(
        self,
        source: Source,
        inputs: Mapping[str, Input],
        heads: Mapping[str, Head],
        augment: Sequence[Any],
        seed: int,
    ) -> None:
        self._new, self._doubts = bool(heads) and not isinstance(heads, KnownHeads), list[Problem]()
        heads = for_boxes(heads)
        problems = absent_columns(source, inputs, heads)
        if problems:
            raise DataError(*problems)
        self._source, self._errors = source, list[Problem]()
        self.inputs: dict[str, Input] = {}
        self.heads: dict[str, Head] = {}
        self.collapsing: dict[str, Problem] = {}
        self.labels: dict[str, Labels] = {}
        self.along: dict[str, Along] = {}
        for name, kind in inputs.items():
            self._resolve_input(name, kind)
        heads = self._informed(prepare(source, heads))
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
            raise DataError(*dict.fromkeys(self._errors))  # a read that fails does so for several kinds
        self.heads = {name: self.heads[name] for name in heads}
        self.labels = {name: self.labels[name] for name in heads}
        self.along = {name: one for name, one in self.along.items() if not self.labels[name].ready}
        if self.scene is not None:
            require_moving(self.scene, self.inputs, self.heads, moves)
        for problem in [*self._doubts, *(leaks(self.inputs, self.heads) if self._new else ())]:
            warn(problem)

    def _resolve_input(self, name: str, kind: Input) -> None:
        try:
            column = KindColumns(self._source, kind.columns(name))
            self.inputs[name] = found = kind.told(column).resolve(column)
            if self._new:
                for doubt in input_problems(name, kind, found, column.probe(), len(self._source)):
                    if doubt.code == "collapsed" and found.dtype == "int32":
                        self.collapsing[name] = doubt
                    else:
                        self._doubts.append(doubt)
        except BadValue as bad:
            self._errors.extend(unresolved(self._source, kind, name, bad).problems)
        except DataError as error:
            self._errors.extend(error.problems)

    def _informed(self, heads: Mapping[str, Head]) -> dict[str, Head]:
        """The heads with what the source knows of their columns."""
        found = dict(heads)
        for name, head in heads.items():
            try:
                found[name] = head.told(KindColumns(self._source, head.columns(name)))
            except DataError as error:
                self._add_of_head(name, error)
        return found

    def _scene_of(self, heads: Mapping[str, Head], augment: Sequence[Any], seed: int) -> Scene | None:
        source = self._source
        images = {name: kind for name, kind in self.inputs.items() if isinstance(kind, Image)}
        laid = {name: head for name, head in heads.items() if head.layer is not None}
        late = any(kind.late for kind in images.values())
        late = late or (bool(images) and any(self._is_decoded(name, head) for name, head in laid.items()))
        if not late and not augment:
            return None
        require_still(source, laid, late, augment)
        own = {weights_key(name) for name in laid}
        weights = {name: one for name, one in self._box_weights.items() if name in own}
        return Scene(source, images, {**laid, **weights}, augment, seed)

    def _is_decoded(self, name: str, head: Head) -> bool:
        return head.layer is not None and head.late(first_rows(self._source, head.columns(name)[0]))

    def _resolve_head(self, name: str, head: Head) -> None:
        if self._errors and self.scene is None and self._is_decoded(name, head):
            return  # its labels would be laid into an image that is not right
        try:
            if self.scene is not None and head.layer is not None:
                self._resolve_in_scene(name, head, self.scene)
            else:
                along = self._along_boxes(name, head)
                rows = self._source if along is None else along
                self._add_labels(name, resolved(self._source, rows, head, name, self._given(head)), rows)
        except DataError as error:
            self._errors.extend(error.problems)
        except ContractError as error:
            self._add_of_head(name, error)

    def _resolve_in_scene(self, name: str, head: Head, scene: Scene) -> None:
        rows = Laid(scene, name)
        found = resolved(self._source, rows, scene.heads[name], name, self._given(head))
        if found.class_weight == "balanced" and scene.uncovers:
            # by the pixels that were annotated, not by the filler outside of the images
            alone, drawn = scene.drawn(name)
            within = Laid(alone, name)
            drawn = drawn.resolve(KindColumns(within, drawn.columns(name)))
            weights = Labels(name, drawn, within, self._given(found)).head.class_weight
            found = found.fixed(class_weight=weights)
        scene.heads[name] = self._add_labels(name, found, rows)
        self.heads[name] = scene.heads[name].declared(head)

    def _along_boxes(self, name: str, head: Head) -> Along | None:
        """The labels or weights of a head that has one for each box; None for other heads."""
        eaches: dict[str, Each] = {name: head} if is_each(head) else {}
        if weights_key(name) in self._box_weights:
            eaches[weights_key(name)] = self._box_weights[weights_key(name)]
        if not eaches:
            return None
        self.along[name] = Along(self._source, name, eaches, head.reads(name))
        return self.along[name]

    def _add_labels(self, name: str, head: Head, rows: Source) -> Head:
        self.labels[name] = Labels(name, head, rows, self._given(head))
        self.heads[name] = self.labels[name].head
        return self.heads[name]

    def _given(self, head: Head) -> Labels | None:
        return self.labels.get(head.given or "")

    def _add_of_head(self, name: str, error: DataError | ContractError) -> None:
        self._errors.extend(replace(p, place=f"{place(head=name)}, {p.place}") for p in error.problems)
