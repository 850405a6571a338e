"""The folder of a training run: what the run is, its lock, its state, its models; every write whole or not at all.

    FOLDER/model.json ...         the best model so far, replaced in place (`componium.checkpoint.update`)
    FOLDER/steps/2000/, last/     the ladder of kept models, and the last one
    FOLDER/training/run.json      what the run is; settings are fixed when it begins
    FOLDER/training/state/        what is needed to go on; state-before/ is the one before, should this be damaged
    FOLDER/training/log.jsonl, tensorboard/, previews/
    FOLDER/training/lock          held while a run is in progress; the system lets it go when the process ends, however

Nothing in a folder that is not a run or a model of ours is ever touched.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from componium import checkpoint
from componium.music.errors import BadFile, BadInput, require
from componium.music.files import replacing
from componium.training import state as pairs

if TYPE_CHECKING:
    from componium.training.state import Tensors

FORMAT, FORMAT_VERSION = "componium-training", 1
LENGTH = ("steps", "train.steps")
"""Where the length of a run stands, the one setting that may grow."""
SURROUNDINGS = frozenset({"processes", "threads", "device", "versions"})
"""Keys of a run that may differ when it goes on; the result is then no longer promised to be the same to the bit."""
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_STATE, _BEFORE = "state", "state-before"
_OF_THE_LOCK = {"lock", "process.json"}
_HALF_WRITTEN = (".state.*.partial", ".*.part", ".measured.*")
"""What a process that was killed may leave beside them."""


class RunFolder:
    """One training run on disk.

    Args:
        path: its folder; nothing is made or read before it is asked for.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.training = self.path / checkpoint.RUN.parent
        self.run_path = self.path / checkpoint.RUN
        self.log_path = self.training / "log.jsonl"
        self.tensorboard_path = self.training / "tensorboard"
        self.previews_path = self.training / "previews"
        self.steps_path = self.path / "steps"

    def preview_path(self, step: int, suffix: str) -> Path:
        """Return where the preview of a step goes, such as ``previews/step-000500.mid``; its folder is made."""
        with self._writing():
            self.previews_path.mkdir(parents=True, exist_ok=True)
        return self.previews_path / f"step-{step:06d}{suffix}"

    # beginning and going on

    def exists(self) -> bool:
        """Say whether a run was begun here."""
        return self.run_path.is_file()

    def check_free(self, force: bool = False) -> None:
        """Raise `BadFile` if no run can begin here; called before any work is done. Makes nothing.

        Args:
            force: whether a run or a model of ours that is there may be replaced; anything else never is.
        """
        self._check_not_foreign()
        if self.exists() and not force:
            raise BadFile(self.path, "holds a training run already; --resume goes on with it, --force replaces it")
        if checkpoint.is_checkpoint(self.path) and not force:
            raise BadFile(self.path, "holds a model already; --force replaces it")
        place = next(p for p in (self.path, *self.path.absolute().parents) if p.exists())
        if not os.access(place, os.W_OK | os.X_OK) or not place.is_dir():
            raise BadFile(self.path, f"cannot be written ({place} is read-only or no folder); choose another place")

    def _check_not_foreign(self) -> None:
        if not self.path.is_dir():
            if self.path.exists() or self.path.is_symlink():
                raise BadFile(self.path, "is a file or leads nowhere, so no run can be kept in it; choose another name")
            return
        if checkpoint.is_checkpoint(self.path) or self._never_began():
            return
        if not self.exists():
            raise BadFile(self.path, "is there already and holds no training run, so nothing in it is touched; "
                                     "choose another name")
        self.read_run()  # of ours, and readable

    def _never_began(self) -> bool:
        """Whether nothing is here but what a run leaves that was killed before it began."""
        if not {path.name for path in self.path.iterdir()} <= {self.training.name}:
            return False
        if not self.training.is_dir():
            return not self.training.exists()
        there = {path.name for path in self.training.iterdir()} - _OF_THE_LOCK
        half = {path.name for path in self._half_written()} if (self.training / "lock").exists() else set()
        return there <= half

    def _half_written(self) -> list[Path]:
        return [path for pattern in _HALF_WRITTEN for path in self.training.glob(pattern)]

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder for one process; the lock ends with the process, however that ends.

        Raises:
            BadInput: another training is running here.
            BadFile: something else is here, or it cannot be written to.
            MissingExtra: the package that locks is missing.
        """
        filelock = require("filelock", extra="neural", purpose="Training a network")
        self._check_not_foreign()
        new = not self.path.exists()
        with self._writing():
            self.training.mkdir(parents=True, exist_ok=True)
            lock = filelock.FileLock(self.training / "lock")
            try:
                lock.acquire(timeout=0)
            except filelock.Timeout as error:
                raise BadInput(f"another training is running in {self.path}{self._running()}; "
                               "wait for it, or choose another folder") from error
        try:
            self._clear_leftovers()
            self._write_json(self.training / "process.json", {"process": os.getpid(), "host": socket.gethostname()})
            yield
        finally:
            with contextlib.suppress(OSError):
                (self.training / "process.json").unlink(missing_ok=True)
            if not self.exists():
                self._leave_nothing(new)
            lock.release()

    def _running(self) -> str:
        try:
            told = json.loads((self.training / "process.json").read_text(encoding="utf-8"))
            return f" (process {told['process']} on {told['host']})"
        except (OSError, ValueError, LookupError, TypeError):
            return ""

    def _leave_nothing(self, new: bool) -> None:
        """Take away the lock of a run that never began, and the folder that was made for it."""
        with contextlib.suppress(OSError):
            (self.training / "lock").unlink(missing_ok=True)
            self.training.rmdir()
            if new:
                self.path.rmdir()

    def _clear_leftovers(self) -> None:
        """Remove what a process that was killed left half-written."""
        for path in (*self._half_written(), *self.steps_path.glob(".*.partial"), *self.steps_path.glob(".*.old")):
            _remove(path)

    def start(self, run: Mapping[str, Any], force: bool = False) -> None:
        """Begin a run: write down what it is; inside `lock`.

        Args:
            run: its settings, as JSON; see `check_same` for the keys that have a meaning here.
            force: replace a run or a model of ours.
        """
        self.check_free(force)
        with self._writing():
            for path in (self.steps_path, *(p for p in self.training.iterdir()
                                            if p.name not in _OF_THE_LOCK and p != self.run_path)):
                _remove(path)
            for path in (*self.path.glob("weights*.safetensors"), self.path / checkpoint.HEADER,
                         self.path / checkpoint.CARD):
                path.unlink(missing_ok=True)
        self._write_run(run)

    def _write_run(self, run: Mapping[str, Any]) -> None:
        self._write_json(self.run_path, {"format": FORMAT, "format_version": FORMAT_VERSION} | dict(run))

    def read_run(self) -> dict[str, Any]:
        """Return what the run is, as it was begun.

        Raises:
            BadFile: no run was begun here, its file is damaged, or a newer version wrote it.
        """
        if not self.exists():
            raise BadFile(self.path, "holds no training run to go on with; leave out --resume to begin one")
        try:
            run = json.loads(self.run_path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise BadFile(self.run_path, "is damaged (it is not JSON), so the run cannot go on") from error
        if not isinstance(run, dict) or run.get("format") != FORMAT:
            raise BadFile(self.run_path, "is not a training run of Componium")
        version = run.get("format_version")
        if not isinstance(version, int) or version > FORMAT_VERSION:
            raise BadFile(self.run_path, f"was written by a newer Componium (format {version}, this one reads up to "
                                         f"{FORMAT_VERSION}); pip install -U componium")
        return {key: value for key, value in run.items() if key not in ("format", "format_version")}

    def check_same(self, asked: Mapping[str, Any]) -> list[str]:
        """Compare what is asked for with the run that is there.

        Args:
            asked: what was given, in the shape of `read_run`; None stands for "not given". ``steps`` may be more.

        Returns:
            Warnings: what differs in the surroundings (`SURROUNDINGS`), so that the result may differ in the last bits.

        Raises:
            BadInput: anything else differs; all differences are named.
        """
        there, given = _flat(self.read_run()), _flat(json.loads(json.dumps(asked)))
        differing = {key: value for key, value in given.items() if value is not None and there.get(key) != value}
        warnings = [f"{key} was {_short(there.get(key))} when the run began and is {_short(value)} now: "
                    "the result is no longer promised to be the same to the bit"
                    for key, value in differing.items() if key.split(".")[0] in SURROUNDINGS]
        wrong = [_difference(key, there, value) for key, value in differing.items()
                 if key.split(".")[0] not in SURROUNDINGS
                 and not (key in LENGTH and _is_longer(value, there.get(key)))]
        if wrong:
            raise BadInput(f"{self.path}: the run there was begun otherwise: {'; '.join(wrong)}. "
                           "A run goes on as it was begun, only --steps may be raised; for another, "
                           "choose another folder")
        return warnings

    def extend(self, steps: int) -> dict[str, Any]:
        """Make the run longer, and return what it is now; raises `BadInput` where it would become shorter."""
        run = self.read_run()
        if steps < run["steps"]:
            raise BadInput(f"{self.path}: the run there has {run['steps']} steps and cannot be made shorter ({steps})")
        run["steps"] = steps
        if isinstance(run.get("train"), dict) and "steps" in run["train"]:
            run["train"]["steps"] = steps
        self._write_run(run)
        return run

    def finished(self) -> str | None:
        """Return a sentence if the run is done, with the way to make it longer; None if there is something to do."""
        run, told = self.read_run(), self._told()
        step, steps = told.get("step", 0), run.get("steps", 0)
        if step < steps and not told.get("ended"):
            return None
        early = f" ({told['ended']})" if told.get("ended") else ""
        return (f"the run in {self.path} is finished: {step} of {steps} steps{early}; "
                f"--resume --steps {2 * max(step, steps)} makes it longer")

    # its state

    def save_state(self, arrays: Mapping[str, Any], told: Mapping[str, Any]) -> None:
        """Write what is needed to go on; the state before stays beside it.

        Args:
            arrays: tensors, on any device.
            told: the rest, as JSON; ``step`` is the number of steps done, ``ended`` why the run ended early, if it did.

        Raises:
            BadFile: the disk is full, or the folder cannot be written to; the state before is then as it was.
        """
        with self._writing():
            partial = Path(tempfile.mkdtemp(prefix=".state.", suffix=".partial", dir=self.training))
            try:
                pairs.write_pair(partial, arrays, told)
                partial.chmod(0o755)
                checkpoint.sync_folder(partial)
                newest, before = self.training / _STATE, self.training / _BEFORE
                if newest.exists():
                    _remove(before)
                    newest.rename(before)
                partial.rename(newest)
                checkpoint.sync_folder(self.training)
            finally:
                shutil.rmtree(partial, ignore_errors=True)

    def load_state(self, warn: Callable[[str], None] = lambda _text: None) -> tuple[Tensors, dict[str, Any]] | None:
        """Return the newest sound state: tensors on the CPU, and what was told; None where none was written yet.

        Args:
            warn: called with a sentence where the newest is damaged and the one before is taken.

        Raises:
            BadFile: there are states and all are damaged.
        """
        problem: BadFile | None = None
        for name in (_STATE, _BEFORE):
            if not (self.training / name).exists():
                continue
            try:
                found = pairs.read_pair(self.training / name)
            except BadFile as error:
                problem = problem or error
                continue
            if problem:
                warn(f"{problem}; the run goes on from the state before, step {found[1].get('step')}")
            return found
        if problem:
            raise BadFile(problem.path, f"{problem.reason}, and no state before it is sound, so the run cannot go on; "
                                        "--force begins it anew") from problem
        return None

    def _told(self) -> dict[str, Any]:
        for name in (_STATE, _BEFORE):
            with contextlib.suppress(BadFile):
                told: dict[str, Any] = pairs.read_header(self.training / name)["told"]
                return told
        return {}

    # its models

    def save_best(self, model: Any) -> None:
        """Make a model the folder's own."""
        with self._writing():
            checkpoint.update(model, self.path)

    def save_last(self, model: Any) -> None:
        """Keep a model as ``FOLDER@last``."""
        with self._writing():
            checkpoint.update(model, self.steps_path / "last")

    def save_step(self, model: Any, step: int) -> None:
        """Keep a model as ``FOLDER@step``; one that is there (a run that goes on makes it again) is replaced."""
        place = self.steps_path / str(step)
        with self._writing():
            if place.exists() and not checkpoint.is_checkpoint(place):
                _remove(place)
            checkpoint.save(model, place, force=True)

    # writing

    def _write_json(self, path: Path, told: Mapping[str, Any]) -> None:
        with self._writing(), replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.write(json.dumps(told, ensure_ascii=False, indent=1))
            file.flush()
            os.fsync(file.fileno())

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn errors of the system into a sentence with the way out."""
        try:
            yield
        except (OSError, BadFile) as error:
            raise explained(self.path, error, begun=self.exists()) from error


def explained(path: Path, error: OSError | BadFile, *, begun: bool = True) -> BadFile:
    """Return what to tell of an error while a run writes; a full disk is named as such.

    Args:
        path: the folder or file that was written.
        error: of the system, or of a checkpoint.
        begun: whether there is a run to go on with.
    """
    cause = error if isinstance(error, OSError) else error.__cause__
    if isinstance(cause, OSError) and cause.errno in _FULL and not begun:
        return BadFile(path, f"the disk is full ({cause.strerror}), so the run did not begin; make room, or choose "
                             "another place")
    if isinstance(cause, OSError) and cause.errno in _FULL:
        return BadFile(path, f"the disk is full ({cause.strerror}); what was saved before is as it was: "
                             "make room and go on with --resume")
    if isinstance(error, BadFile):
        return error
    return BadFile(path, f"cannot be written ({error.strerror or error})")


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _flat(told: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return nested settings as ``train.batch`` -> value."""
    found: dict[str, Any] = {}
    for key, value in told.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = value
    return found


def _difference(key: str, there: Mapping[str, Any], asked: Any) -> str:
    """Return what differs in the words of the command line; the music is told by its name, not by its hash."""
    if key == "data.hash":
        return f"the music is not that of {there.get('data.name', 'its beginning')} as it was then"
    if key == "data.exclude":
        return f"--exclude was {there.get(key) or 'not given'} then and is {asked} now"
    return f"{key.removeprefix('config.')} is {_short(there.get(key))} there, {_short(asked)} was asked for"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:57] + "..."


def _is_longer(asked: Any, there: Any) -> bool:
    return isinstance(asked, int) and isinstance(there, int) and asked >= there
