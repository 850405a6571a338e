"""A model on disk: a folder with `model.json`, `weights.safetensors` where there are arrays, and a model card.

Only JSON, safetensors and Markdown are ever read, so that opening somebody's model cannot run code. `save` writes a
folder beside its final place, syncs and renames it, so that it is either whole or not there. `update` replaces the
model inside a folder that stays (a training run keeps its log and its ladder there): the weights, under a name made
of their content, come first, and renaming `model.json` over the old one is the moment at which the model changes.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from componium import registry
from componium.music.errors import BadFile, BadInput, ComponiumError
from componium.music.files import json_text

FORMAT = "componium-checkpoint"
FORMAT_VERSION = 1
HEADER, WEIGHTS, CARD = "model.json", "weights.safetensors", "README.md"
ALLOWED_PATTERNS = ["*.json", "*.safetensors", "*.md"]
"""The only files that are fetched from a hub."""
IGNORED_PATTERNS = ["training/*", "steps/*"]
"""What a training run keeps beside its model, which is not fetched."""
RUN = Path("training", "run.json")
"""Says that a folder holds a training run."""
_WEIGHTS_NAME = re.compile(r"weights(-[0-9a-f]{16})?\.safetensors")
_READ_AGAIN = 5  # times that a model is read anew where a training replaced it meanwhile

Arrays = dict[str, npt.NDArray[Any]]


def save(model: Any, folder: str | Path, *, force: bool = False) -> Path:
    """Write a model to a folder, whole or not at all.

    Args:
        model: any model of the contract.
        folder: the folder to make; it may have any name.
        force: replace a checkpoint that is there. Anything else that is there is never replaced.

    Raises:
        BadFile: something is there already, or the place cannot be written to.
    """
    target = Path(folder)
    check_free(target, force=force)
    arrays, state = model.state()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".partial", dir=target.parent))
    except OSError as error:
        raise BadFile(target, f"cannot be written ({error.strerror or error})") from error
    try:
        _write_folder(partial, model, arrays, state)
        _swap(partial, target)
    except OSError as error:
        raise BadFile(target, f"cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def update(model: Any, folder: str | Path) -> Path:
    """Replace the model in a folder in place; whatever else is in the folder stays.

    Stopped at any moment, the folder holds either the old or the new model, and who reads it meanwhile gets one of
    the two (`load`). The folder is made where it is missing.

    Args:
        model: any model of the contract.
        folder: a folder that holds a checkpoint, or none yet.

    Raises:
        BadFile: it holds a `model.json` that is not ours, or cannot be written to.
    """
    target = Path(folder)
    if (target / HEADER).exists() and not is_checkpoint(target):
        raise BadFile(target, f"holds a {HEADER} of another program, which is never replaced; choose another folder")
    arrays, state = model.state()
    try:
        target.mkdir(parents=True, exist_ok=True)
        for left in target.glob(".model.*.partial"):  # by a process that was killed here
            shutil.rmtree(left, ignore_errors=True)
        partial = Path(tempfile.mkdtemp(prefix=".model.", suffix=".partial", dir=target))
    except OSError as error:
        raise BadFile(target, f"cannot be written ({error.strerror or error})") from error
    try:
        header = _write_folder(partial, model, arrays, state, named_by_content=True)
        _change(partial, target, (header["weights"] or {}).get("file"))
    except OSError as error:
        raise BadFile(target, f"cannot be written ({error.strerror or error})") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _change(new: Path, target: Path, weights: str | None) -> None:
    """Move the files of a checkpoint over those of another, the one that counts last; remove the old weights."""
    if weights:
        (new / weights).replace(target / weights)
        sync_folder(target)
    (new / HEADER).replace(target / HEADER)
    (new / CARD).replace(target / CARD)
    sync_folder(target)
    for path in target.glob("weights*.safetensors"):
        if _WEIGHTS_NAME.fullmatch(path.name) and path.name != weights:
            path.unlink(missing_ok=True)


def sync_folder(folder: Path) -> None:
    """Have the names in a folder written to the disk, so that they outlive a power cut."""
    if os.name == "nt":  # folders cannot be opened there, and are written through
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_free(target: Path, *, force: bool = False) -> None:
    """Raise `BadFile` if a checkpoint may not be written at ``target``; called before training begins."""
    if not target.exists() and not target.is_symlink():
        return
    if target.is_dir() and not any(target.iterdir()):
        return
    if not is_checkpoint(target):
        raise BadFile(target, "is there already and is not a model, so it is never replaced; choose another name")
    if not force:
        raise BadFile(target, "is there already; --force replaces it")
    if (target / RUN).exists():
        raise BadFile(target, "holds a training run with its log and its state, which only another training replaces; "
                              "choose another name")


def is_checkpoint(folder: Path) -> bool:
    """Say whether a folder holds one of our checkpoints, sound or damaged."""
    try:
        header = json.loads((folder / HEADER).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(header, dict) and header.get("format") == FORMAT


def _write_folder(folder: Path, model: Any, arrays: Arrays, state: dict[str, Any], *,
                  named_by_content: bool = False) -> dict[str, Any]:
    header: dict[str, Any] = {
        "format": FORMAT, "format_version": FORMAT_VERSION, "name": type(model).name,
        "config": dataclasses.asdict(model.config), "state": state,
        "provenance": model.provenance, "figures": model.figures, "weights": None,
    }
    if arrays:
        from safetensors.numpy import save as packed

        (folder / WEIGHTS).write_bytes(packed({k: np.require(v, requirements="C") for k, v in arrays.items()}))
        sha256 = _sha256(folder / WEIGHTS)
        name = f"weights-{sha256[:16]}.safetensors" if named_by_content else WEIGHTS
        (folder / WEIGHTS).rename(folder / name)
        header["weights"] = {"file": name, "sha256": sha256,
                             "dtypes": {key: str(value.dtype) for key, value in arrays.items()}}
    (folder / HEADER).write_text(json_text(header), encoding="utf-8")
    (folder / CARD).write_text(card(model), encoding="utf-8")
    folder.chmod(0o755)
    for path in folder.iterdir():
        path.chmod(0o644)
        with path.open("rb+") as file:
            os.fsync(file.fileno())
    return header


def _swap(new: Path, target: Path) -> None:
    """Put ``new`` in the place of ``target``; whatever happens, one of the two is there."""
    if not target.exists():
        new.rename(target)
        return
    aside = Path(tempfile.mkdtemp(prefix=f".{target.name}.", suffix=".old", dir=target.parent))
    target.rename(aside / "old")
    try:
        new.rename(target)
    except OSError:
        (aside / "old").rename(target)
        raise
    finally:
        if target.exists():
            shutil.rmtree(aside, ignore_errors=True)


def header_of(folder: str | Path) -> dict[str, Any]:
    """Read and check `model.json`; the arrays stay on disk.

    Raises:
        BadFile: not a checkpoint, damaged, of an unknown model, or written by a newer version.
    """
    path = Path(folder)
    if not (path / HEADER).is_file():
        if (path / RUN).is_file():
            raise BadFile(path, "holds a training run that has kept no model yet; let it go on with --resume")
        raise BadFile(path, f"is not a Componium model (it holds no {HEADER})")
    try:
        header = json.loads((path / HEADER).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BadFile(path / HEADER, "is damaged (it is not JSON)") from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        raise BadFile(path, f"is not a Componium model (its {HEADER} was written by another program)")
    version = header.get("format_version")
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise BadFile(path, f"was written by a newer Componium (format {version}, this one reads up to "
                            f"{FORMAT_VERSION}); pip install -U componium")
    wanted = {"name": str, "config": dict, "state": dict, "provenance": dict, "figures": dict}
    wrong = [key for key, kind in wanted.items() if not isinstance(header.get(key), kind)]
    if wrong:
        raise BadFile(path / HEADER, f"is damaged ({', '.join(wrong)} missing or of another kind)")
    return header


def load(folder: str | Path, cls: Any = None) -> Any:
    """Read a model from its folder.

    Args:
        folder: the checkpoint; a training may be replacing it meanwhile.
        cls: the model's class, for a model that is not in the registry.

    Raises:
        BadFile: not a checkpoint, damaged, of an unknown model, or written by a newer version.
    """
    path = Path(folder)
    header, arrays = _read(path)
    if cls is None and header["name"] not in registry.MODELS:
        raise BadFile(path, f"holds a model called {header['name']!r}, which this Componium does not have")
    cls = cls or registry.model_class(header["name"])
    if cls.name != header["name"]:
        raise BadFile(path, f"holds a model called {header['name']!r}, not {cls.name!r}")
    try:
        settings = {k: tuple(v) if isinstance(v, list) else v for k, v in header["config"].items()}
        model = cls(cls.Config(**registry.read_settings(settings, registry.types_of(cls.Config), header["name"])))
        model.load_state(arrays, header["state"])
    except (BadInput, LookupError, ValueError, TypeError, AttributeError, ArithmeticError) as error:
        raise BadFile(path, f"does not fit the model {header['name']} ({error})") from error
    model.provenance, model.figures = header["provenance"], header["figures"]
    return model


def _read(folder: Path) -> tuple[dict[str, Any], Arrays]:
    """Read a header and the arrays that belong to it, also while both are being replaced."""
    header = header_of(folder)
    for _ in range(_READ_AGAIN):
        try:
            return header, _read_arrays(folder, header.get("weights"))
        except BadFile:
            newer = header_of(folder)
            if newer.get("weights") == header.get("weights"):
                raise
            header = newer
    return header, _read_arrays(folder, header.get("weights"))


def _read_arrays(folder: Path, weights: Any) -> Arrays:
    if weights is None:
        return {}
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    name = weights.get("file", WEIGHTS) if isinstance(weights, Mapping) else None
    if not isinstance(name, str) or not _WEIGHTS_NAME.fullmatch(name):
        raise BadFile(folder / HEADER, "is damaged (its weights are not described as they should be)")
    path = folder / name
    if not path.is_file():
        raise BadFile(folder, f"is damaged ({name} is missing)")
    try:
        if _sha256(path) != weights.get("sha256"):
            raise BadFile(path, f"is damaged (it is not the file that {HEADER} describes)")
        return dict(load_file(path))
    except (SafetensorError, ValueError, OSError) as error:
        raise BadFile(path, f"is damaged ({error})") from error


def digest(folder: str | Path) -> str:
    """Return the hash of a checkpoint's settings, state and weights: its identity, as sha256 hex."""
    header = header_of(folder)
    told = {key: header.get(key) for key in ("name", "config", "state", "weights")}
    if isinstance(told["weights"], dict):
        told["weights"] = told["weights"] | {"file": WEIGHTS}  # whatever the file is called
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def download(repository: str) -> Path:
    """Fetch ``owner/name`` (or ``owner/name@revision``) from the Hugging Face hub; only JSON, safetensors and Markdown.

    Raises:
        BadInput: not a repository name, not there, or out of reach.
    """
    name, _, revision = repository.partition("@")
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", name):
        raise BadInput(f"hf:{repository}: a model on the hub is named hf:owner/name")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, revision=revision or None, allow_patterns=ALLOWED_PATTERNS,
                                      ignore_patterns=IGNORED_PATTERNS))
    except ComponiumError:
        raise
    except Exception as error:  # the hub's client raises many kinds, each with a long text
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise BadInput(f"hf:{repository}: could not be fetched ({reason})") from error


def card(model: Any) -> str:
    """Return the model card (Markdown): what it is, its settings, what it learned from, its figures."""
    from componium.interface import describe

    told = describe(model)
    lines = [f"# {told.name}", "", told.text, "", "## Settings", "", "| setting | value | meaning |", "|---|---|---|"]
    lines += [f"| {s.name} | {getattr(model.config, s.name)!r} | {s.help} |" for s in told.settings]
    lines += ["", "## Learned from", ""]
    shown = {k: v for k, v in told.provenance.items() if not isinstance(v, list | dict)}
    lines += [f"- {key.replace('_', ' ')}: {value}" for key, value in shown.items()] or ["- nothing"]
    lines += ["", "## Figures", ""]
    lines += [f"- {key.replace('_', ' ')}: {value}" for key, value in told.figures.items()] or ["- none measured"]
    lines += ["", "## Rights of the training data", "", *(f"- {line}" for line in rights(told.provenance))]
    return "\n".join(lines) + "\n"


def rights(provenance: Mapping[str, Any]) -> list[str]:
    """Return what is known of the rights of the data that a model learned from: a sentence, licences and sources.

    Checkpoints of older versions name one source for each piece; those are counted by collection.
    """
    from componium.music.licences import licence_class, rights_of
    from componium.music.provenance import collection

    if not provenance:
        return ["it learned from nobody's data"]
    licences, pieces = _counts(provenance.get("licences")), provenance.get("pieces")
    licences = licences or {str(provenance.get("licence", "unknown")): pieces if isinstance(pieces, int) else 1}
    sources: Counter[str] = Counter()
    for source, count in _counts(provenance.get("sources")).items():
        sources[collection(source)] += count
    return [rights_of(licences),
            *(f"{count} under: {text or 'unknown'} ({licence_class(text)})" for text, count in licences.items()),
            *(f"{count} from: {text or 'a source that is not named'}" for text, count in sources.most_common())]


def _counts(data: Any) -> dict[str, int]:
    """Return name -> number as a checkpoint of any origin may hold it; what is of another kind is left out."""
    return {str(key): value for key, value in data.items() if isinstance(value, int)} if isinstance(data, dict) else {}
