"""The pages of models: the versions with their metrics side by side, and one with its plots and history."""

import asyncio
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from flagrank.console.model_curves import KnownCurves, ReadCurves
from flagrank.console.model_figures import LABELS, LISTED, Figure, read_figure
from flagrank.console.model_history import MOST, describe_history
from flagrank.console.model_plots import Plot, Traced, plot_lift, plot_reliability
from flagrank.console.pages import Pages
from flagrank.triage.audit import AuditEntry
from flagrank.triage.errors import ModelNotFound
from flagrank.triage.model_registry import (
    ActiveModels,
    CheckedChanges,
    ModelRegistry,
    PublishedModel,
)
from flagrank.triage.shadow import ShadowLog, ShadowSummary

PAGE_MODELS = 50
_VERSION = re.compile(r"[0-9]{1,10}")

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class ModelParts:
    """What the pages of models read and change through.

    The registry is asked in `executor`; what takes seconds, a package at a time, is done in `working`.
    """

    registry: ModelRegistry
    shadow_log: ShadowLog
    checked: CheckedChanges
    read_curves: ReadCurves
    executor: Executor
    working: Executor

    async def ask(self, ask: Callable[[], _Answer]) -> _Answer:
        """The answer of the registry or the log."""
        return await asyncio.get_running_loop().run_in_executor(self.executor, ask)

    async def work(self, work: Callable[[], _Answer]) -> _Answer:
        """What comes of work on a package."""
        return await asyncio.get_running_loop().run_in_executor(self.working, work)


class ListedModel(msgspec.Struct, frozen=True):
    """A row of the list."""

    model: PublishedModel
    figures: Sequence[Figure]


class Comparison(msgspec.Struct, frozen=True):
    """A metric of a model, and of the champion beside it."""

    label: str
    figure: Figure
    champion: Figure | None


class _Versions(msgspec.Struct, frozen=True):
    """All that the list shows."""

    models: Sequence[PublishedModel]
    active: ActiveModels
    before: PublishedModel | None
    shadow: ShadowSummary | None


class _Version(msgspec.Struct, frozen=True):
    """All that the page of one version shows, but its plots."""

    model: PublishedModel
    champion: PublishedModel | None
    before: PublishedModel | None
    history: Sequence[AuditEntry]
    shadow: ShadowSummary | None


class ModelPages:
    """Reads models through the ports."""

    def __init__(self, pages: Pages, parts: ModelParts) -> None:
        self._pages = pages
        self._parts = parts
        self._curves = KnownCurves(parts.read_curves, parts.working)

    def make_routes(self) -> list[Route]:
        """Below the console's own path."""
        return [Route("/models", self.show_list), Route("/models/{version}", self.show_version)]

    async def show_list(self, request: Request) -> Response:
        """The versions, newest first."""
        versions = await self._parts.ask(self._read_versions)
        first = _read_first(request)
        shown = versions.models[first : first + PAGE_MODELS]
        return self._pages.show(
            request.scope,
            "models.html.jinja",
            rows=[
                ListedModel(model, [read_figure(model.metrics, name) for name in LISTED]) for model in shown
            ],
            labels=[LABELS[name] for name in LISTED],
            active=versions.active,
            before=versions.before,
            shadow=versions.shadow,
            first=first,
            count=len(versions.models),
            page_models=PAGE_MODELS,
        )

    async def show_version(self, request: Request) -> Response:
        """One version beside the champion."""
        number = read_version(request)
        version = await self._parts.ask(lambda: self._read_version(number))
        model, champion = version.model, version.champion
        other = None if champion is None or champion.version == model.version else champion
        plots, why = await self._draw(model, other)
        return self._pages.show(
            request.scope,
            "model.html.jinja",
            model=model,
            champion=other,
            before=version.before,
            comparisons=list(_compare(model, other)),
            plots=plots,
            why_no_plots=why,
            shadow=version.shadow,
            history=describe_history(version.history),
            left_out=max(len(version.history) - MOST, 0),
        )

    def _read_versions(self) -> _Versions:
        registry = self._parts.registry
        active = registry.read_active()
        shadow = active.shadow
        return _Versions(
            models=registry.list_models(),
            active=active,
            before=registry.read_champion_before(),
            shadow=None if shadow is None else self._parts.shadow_log.summarise(shadow.version),
        )

    def _read_version(self, number: int) -> _Version:
        registry = self._parts.registry
        return _Version(
            model=registry.read_model(number),
            champion=registry.read_champion(),
            before=registry.read_champion_before(),
            history=registry.read_history(number),
            shadow=self._parts.shadow_log.summarise(number),
        )

    async def _draw(
        self, model: PublishedModel, champion: PublishedModel | None
    ) -> tuple[Sequence[Plot], Sequence[str]]:
        """The plots of what has rows, and sentences about what has none."""
        traced, why = [], []
        for kind, one in (("this", model), ("champion", champion)):
            if one is None:
                continue
            name = f"version {one.version}" if kind == "this" else f"champion, {one.version}"
            curves = await self._curves.find(one.version)
            if isinstance(curves, str):
                why.append(curves)
            elif not curves.bins:
                why.append(f"The package of version {one.version} holds no held-out rows to plot.")
            else:
                traced.append(Traced(kind, name, curves))
        return _plot(traced), why


def _plot(traced: Sequence[Traced]) -> list[Plot]:
    plots = [plot_reliability(traced)] if traced else []
    ranked = [one for one in traced if one.curves.lift]
    return [*plots, plot_lift(ranked)] if ranked else plots


def _compare(model: PublishedModel, champion: PublishedModel | None) -> Sequence[Comparison]:
    return [
        Comparison(
            label,
            read_figure(model.metrics, name),
            None if champion is None else read_figure(champion.metrics, name),
        )
        for name, label in LABELS.items()
    ]


def read_version(request: Request) -> int:
    """The version in a page's address; raises `ModelNotFound` where it can't be one."""
    text = request.path_params["version"]
    if not _VERSION.fullmatch(text):
        raise ModelNotFound("No model has this version. Look for it in the list of models.")
    return int(text)


def _read_first(request: Request) -> int:
    text = request.query_params.get("first", "0")
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 7 else 0
