"""The models that a server holds: grouped by the base they share, opened, and changed when the registry moves on."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from jobs.workspace import Workspace
from models.reference import ModelRef, ResolvedModel, resolve
from serving.engines.engine import Ask, Engine, EngineFailure, FailureKind, Part
from serving.engines.http import HttpEngine
from serving.engines.shared import SharedEngine
from serving.registry.records import PREFIX
from serving.registry.store import Registry
from serving.spec import ServeSpec


@dataclass(frozen=True)
class Served:
    """A model under its served name: the text that names it now, and which version that is."""

    name: str
    text: str
    version: str


class Deck:
    """Opened and closed as a whole; used inside one event loop."""

    def __init__(self, spec: ServeSpec, workspace: Workspace) -> None:
        self._spec = spec
        self._workspace = workspace
        self._engines: dict[str, Engine] = {}
        self._stack = AsyncExitStack()
        self.served: dict[str, Served] = {}
        self.opened = False

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self._spec.named_models()]

    @property
    def computes_here(self) -> bool:
        """Whether any model is run on this machine rather than asked elsewhere."""
        return any(ModelRef.parse(self._current(text)).kind not in ("ollama", "endpoint") for text in self._texts())

    def _texts(self) -> list[str]:
        return [text for _, text in self._spec.named_models()]

    async def open(self) -> None:
        """Find and load all. Raises what finding and loading raise; then nothing stays open."""
        # Finding may download, for minutes.
        engines = await asyncio.to_thread(self._make_engines)
        async with AsyncExitStack() as stack:
            for engine in engines:
                await engine.open()
                stack.push_async_callback(engine.close)
            self._stack = stack.pop_all()
        self._engines = {name: engine for engine in engines for name in engine.models}
        self.opened = True

    async def close(self) -> None:
        """Give all memory back; answers under way end with EngineFailure."""
        self.opened = False
        self._engines.clear()
        await self._stack.aclose()

    async def stream(self, name: str, ask: Ask) -> AsyncGenerator[Part]:
        """The answer of a served model. Raises EngineFailure."""
        engine = self._engines.get(name)
        if engine is None:
            raise EngineFailure(FailureKind.UNAVAILABLE, f"the model {name} is not loaded")
        stream = engine.stream(name, ask)
        try:
            async for part in stream:
                yield part
        finally:
            await stream.aclose()

    async def follow_registry(self) -> list[str]:
        """Serve what is in production now; sentences of what changed. A version of another base needs a restart."""
        said = []
        for name, text in self._spec.named_models():
            served = self.served.get(name)
            if not text.startswith(PREFIX) or served is None:
                continue
            now = self._named(name, text)
            if now.version != served.version:
                said.append(await self._change(now))
        return said

    async def _change(self, now: Served) -> str:
        ref = ModelRef.parse(now.text)
        engine = self._engines[now.name]
        if isinstance(engine, SharedEngine) and not ref.asked:
            files = await asyncio.to_thread(resolve, ref, self._workspace)
            if str(files.folder) == engine.folder:
                await engine.change(now.name, files)
                self.served[now.name] = now
                return f"{now.name} is now {now.version}"
        replacement = await asyncio.to_thread(self._engine_of, now)
        await replacement.open()
        self._stack.push_async_callback(replacement.close)
        self._engines[now.name] = replacement
        self.served[now.name] = now
        return f"{now.name} is now {now.version}, loaded beside the one before until the server is started anew"

    def _make_engines(self) -> list[Engine]:
        by_folder: dict[Path, dict[str, ResolvedModel]] = defaultdict(dict)
        engines: list[Engine] = []
        for name, text in self._spec.named_models():
            served = self._named(name, text)
            self.served[name] = served
            ref = ModelRef.parse(served.text)
            if ref.asked:
                engines.append(self._http(served, ref))
            else:
                files = resolve(ref, self._workspace)
                by_folder[files.folder][name] = files
        return [*(self._shared(members) for members in by_folder.values()), *engines]

    def _engine_of(self, served: Served) -> Engine:
        ref = ModelRef.parse(served.text)
        return self._http(served, ref) if ref.asked else self._shared({served.name: resolve(ref, self._workspace)})

    def _http(self, served: Served, ref: ModelRef) -> HttpEngine:
        return HttpEngine(
            served.name,
            ref,
            key_variable=self._spec.key_variable,
            context_length=self._spec.context_length,
            slots=self._spec.limits.running,
            seconds=self._spec.limits.request_seconds,
        )

    def _shared(self, members: dict[str, ResolvedModel]) -> SharedEngine:
        return SharedEngine(
            members,
            most_rows=self._spec.limits.running,
            context_length=self._spec.context_length,
            quantisation=self._spec.quantisation,
            precision=self._spec.precision,
        )

    def _named(self, name: str, text: str) -> Served:
        version = Registry(self._workspace).resolve(text) if text.startswith(PREFIX) else None
        return Served(name, text, text) if version is None else Served(name, version.ref, version.label)

    def _current(self, text: str) -> str:
        return self._named("", text).text
