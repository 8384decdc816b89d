"""values.yaml -> values.schema.json and the table of README.md.

Types come from the defaults; what a default cannot tell (choices, forms, free maps) a chart gives
as rules by path. No object takes a key that is not in values.yaml.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from infra.charts.values_file import Value, documented, read_values

Schema = dict[str, Any]
FREE_OBJECT: Schema = {"type": "object"}
TEXTS: Schema = {"type": "object", "additionalProperties": {"type": "string"}}
OBJECTS: Schema = {"type": "array", "items": {"type": "object"}}
VARIABLES: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {"name": {"type": "string", "minLength": 1}},
        "required": ["name"],
    },
}
"""Environment variables of a container."""
NAMES: Schema = {"type": "array", "items": {"type": "string", "minLength": 1}}
_BEGIN, _END = "<!-- values -->", "<!-- end of values -->"


def one_of(*choices: str) -> Schema:
    """One of these words."""
    return {"enum": list(choices)}


def write(chart: Path, rules: Mapping[str, Schema]) -> None:
    """Write both files of ``chart``; ``rules`` are schemas by dotted path or by last key."""
    (chart / "values.schema.json").write_text(schema_text(chart, rules), encoding="utf-8")
    readme = chart / "README.md"
    readme.write_text(readme_text(chart), encoding="utf-8")


def schema_text(chart: Path, rules: Mapping[str, Schema]) -> str:
    """The content of values.schema.json.

    Raises:
        ValueError: a rule fits no value, or an empty default has no rule.
    """
    values = chart / "values.yaml"
    meanings = {value.path: value.meaning for value in documented(values)}
    used: set[str] = set()
    body = _object(read_values(values), "", rules, meanings, used)
    for added in ("global", *_dependencies(chart)):  # Helm adds these by itself
        body["properties"][added] = FREE_OBJECT
    if unused := sorted(rules.keys() - used):
        raise ValueError(f"{values}: rules without a value: {', '.join(unused)}")
    schema = {"$schema": "http://json-schema.org/draft-07/schema#", **body}
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def readme_text(chart: Path) -> str:
    """README.md with the table between its marks made anew."""
    before, _, rest = (chart / "README.md").read_text(encoding="utf-8").partition(_BEGIN)
    after = rest.partition(_END)[2]
    lines = ["| Value | Default | Meaning |", "|---|---|---|"]
    lines += [_row(value) for value in documented(chart / "values.yaml")]
    return "\n".join([before + _BEGIN, *lines, _END + after])


def _dependencies(chart: Path) -> list[str]:
    about = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))
    return [dependency["name"] for dependency in about.get("dependencies", ())]


def _row(value: Value) -> str:
    default = json.dumps(value.default, ensure_ascii=False)
    cells = (f"`{value.path}`", f"`{default}`", value.meaning)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _object(
    values: dict[str, Any],
    above: str,
    rules: Mapping[str, Schema],
    meanings: Mapping[str, str],
    used: set[str],
) -> Schema:
    properties: Schema = {}
    sections: list[str] = []  # a null takes a whole one away, and templates read what is in it
    for key, default in values.items():
        path = f"{above}{key}"
        rule = next((name for name in (path, key) if name in rules), None)
        if rule is not None:
            used.add(rule)
            found = dict(rules[rule])
        elif isinstance(default, dict) and default:
            found = _object(default, f"{path}.", rules, meanings, used)
            sections.append(key)
        else:
            found = _type_of(path, default)
        if path in meanings:
            found = {"description": meanings[path], **found}
        properties[key] = found
    whole: Schema = {"type": "object", "additionalProperties": False, "properties": properties}
    return {**whole, "required": sections} if sections else whole


def _type_of(path: str, default: Any) -> Schema:
    if isinstance(default, bool):
        return {"type": "boolean"}
    if isinstance(default, int):
        return {"type": "integer", "minimum": 0}
    if isinstance(default, str):
        return {"type": "string"}
    raise ValueError(f"{path}: what may stand in an empty {type(default).__name__} needs a rule")
