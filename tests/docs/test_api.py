"""Every name of the API reference exists and says what it takes and returns."""

import dataclasses
import importlib
import inspect
import re
from pathlib import Path

PAGES = sorted((Path(__file__).resolve().parents[2] / "docs" / "api").glob("*.md"))
LISTED = [name for page in PAGES for name in re.findall(r"^::: (\S+)$", page.read_text(), re.M)]


def find(name):
    """Return the object, or the module, of a dotted name."""
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def expand(name):
    """Return the public functions and classes of a module; the name itself for anything else."""
    thing = find(name)
    if not inspect.ismodule(thing):
        return [name]
    return [f"{name}.{member}" for member in thing.__all__ if callable(getattr(thing, member))]


def undocumented_arguments(thing):
    """The arguments that need a section: not fields of a base class, nor options with a text."""
    names = inspect.signature(thing).parameters.keys() - {"self", "args", "kwargs"}
    if dataclasses.is_dataclass(thing):
        fields = {field.name: field for field in dataclasses.fields(thing)}
        own = inspect.get_annotations(thing).keys() & names
        return {name for name in own if not fields[name].metadata.get("doc")}
    return names


def missing_sections(thing):
    """The sections that the docstring of a function or a class lacks."""
    text = inspect.getdoc(thing) or ""
    has = {title for title in ("Args", "Attributes", "Returns") if f"\n{title}:\n" in text}
    if inspect.isclass(thing):
        if issubclass(thing, Exception) or has & {"Args", "Attributes"}:
            return []
        return ["Args or Attributes"] if undocumented_arguments(thing) else []
    returns_nothing = inspect.signature(thing).return_annotation in (None, "None")
    says_it_first = text.startswith("Return ")
    needed = {
        "Args": undocumented_arguments(thing),
        "Returns": not (returns_nothing or says_it_first),
    }
    return [title for title, is_needed in needed.items() if is_needed and title not in has]


def test_the_api_reference_lists_each_name_once():
    assert sorted(set(LISTED)) == sorted(LISTED)


def test_every_name_of_the_api_reference_documents_its_arguments_and_result():
    offenders = []
    for name in (name for listed in LISTED for name in expand(listed)):
        thing = find(name)
        own = thing.__dict__.get("__doc__") if inspect.isclass(thing) else thing.__doc__
        if not own or (dataclasses.is_dataclass(thing) and own.startswith(f"{thing.__name__}(")):
            offenders.append(f"{name}: no docstring")
        elif missing := missing_sections(thing):
            offenders.append(f"{name}: no {' and no '.join(missing)}")
    assert not offenders, "\n".join([f"{len(offenders)} names of the API reference", *offenders])
