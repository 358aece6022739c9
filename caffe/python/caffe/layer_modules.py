"""Finds the class of a layer of type 'Python': beside the prototxt, in CAFFE_PYTHON_LAYERS, on
the ordinary path."""

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

_private: dict[Path, ModuleType] = {}


def find_layer_class(layer_name: str, module: str, layer: str, folders: Sequence[str]) -> type:
    """The class `layer` of `module`; `folders`, then CAFFE_PYTHON_LAYERS, come before sys.path.

    Raises ValueError if `module` is a file's name, ModuleNotFoundError with the places searched,
    AttributeError with the classes that the module has; what the module itself raises comes
    through with the layer's name added.
    """
    where = f"layer {layer_name!r} (Python)"
    if not module or not layer:
        raise ValueError(f"{where}: python_param needs both module and layer")
    if module.endswith(".py") or "/" in module or os.sep in module:
        stem = Path(module).stem
        raise ValueError(
            f"{where}: module is {module!r}, a file; give the module's name, {stem!r}, and put "
            "its folder beside the prototxt, into CAFFE_PYTHON_LAYERS or PYTHONPATH"
        )
    places = _places(folders)
    try:
        loaded = _import(module, places)
    except ModuleNotFoundError as error:
        if error.name is None or not (module + ".").startswith(error.name + "."):
            error.add_note(f"in {where}, importing module {module!r}")
            raise
        searched = ", ".join(str(place) for place in [*places, *sys.path])
        raise ModuleNotFoundError(
            f"{where}: no module named {error.name!r}; searched: {searched}", name=error.name
        ) from None
    except BaseException as error:
        error.add_note(f"in {where}, importing module {module!r}")
        raise
    found = getattr(loaded, layer, None)
    if found is None:
        classes = sorted(name for name, _ in inspect.getmembers(loaded, inspect.isclass))
        raise AttributeError(
            f"{where}: module {module!r} ({getattr(loaded, '__file__', 'built in')}) has no class "
            f"{layer!r}; its classes: {', '.join(classes) or 'none'}"
        )
    return found


def _places(folders: Sequence[str]) -> list[Path]:
    """The folders to search before sys.path, each once, absolute."""
    listed = os.environ.get("CAFFE_PYTHON_LAYERS", "").split(os.pathsep)
    places = [Path(folder).resolve() for folder in [*folders, *listed] if folder]
    return list(dict.fromkeys(places))


def _import(module: str, places: Sequence[Path]) -> ModuleType:
    """Imports a module; where one of the places holds it, from there."""
    first = module.partition(".")[0]
    for place in places:
        source = _source_of(place, first)
        if source is None:
            continue
        known = sys.modules.get(first)
        if known is None or _file_of(known) == source:
            return _import_from(place, module)
        if "." not in module:
            return _import_private(source, module)
        break
    return importlib.import_module(module)


def _source_of(place: Path, name: str) -> Path | None:
    for candidate in (place / f"{name}.py", place / name / "__init__.py"):
        if candidate.is_file():
            return candidate.resolve()
    return None


def _file_of(module: ModuleType) -> Path | None:
    file = getattr(module, "__file__", None)
    return Path(file).resolve() if file else None


def _import_from(place: Path, module: str) -> ModuleType:
    """Imports with `place` first on the path; it stays at the path's end, for later imports."""
    sys.path.insert(0, str(place))
    try:
        importlib.invalidate_caches()
        return importlib.import_module(module)
    finally:
        sys.path.remove(str(place))
        if str(place) not in sys.path:
            sys.path.append(str(place))


def _import_private(source: Path, module: str) -> ModuleType:
    """A module whose name another file has taken already: loaded beside it, once a file."""
    if source not in _private:
        spec = importlib.util.spec_from_file_location(module, source)
        assert spec is not None and spec.loader is not None
        loaded = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded)
        _private[source] = loaded
    return _private[source]
