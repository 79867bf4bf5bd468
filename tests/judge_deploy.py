"""Judges what is deployed, and prints it as JSON: `compose FILE` by the schema of compose files, `dashboard FILE` by the
classes that Grafana makes of its own schema. What they do not know is told, and ends with 1."""

import json
import pathlib
import sys

import compose
import jsonschema
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard


def judge_compose(text):
    schema = json.loads((pathlib.Path(compose.__path__[0]) / "config/compose_spec.json").read_text())
    file = yaml.safe_load(text)
    wrong = [f"{'.'.join(map(str, error.path))}: {error.message}" for error in jsonschema.Draft7Validator(schema).iter_errors(file)]
    return file, wrong


def judge_dashboard(text):
    """Fields that Grafana's classes do not know are lost on the way through them."""
    register_default_plugins()
    file = json.loads(text)
    understood = json.loads(JSONEncoder().encode(Dashboard.from_json(file)))
    return file, list(lost(file, understood, "dashboard"))


def lost(typed, understood, place):
    if isinstance(typed, dict) and isinstance(understood, dict):
        for key, value in typed.items():
            yield from lost(value, understood.get(key), f"{place}.{key}")
    elif isinstance(typed, list) and isinstance(understood, list) and len(typed) == len(understood):
        for at, (one, other) in enumerate(zip(typed, understood)):
            yield from lost(one, other, f"{place}[{at}]")
    # Grafana writes down the words of a variable's query a second time, which its classes leave out.
    elif typed != understood and not place.endswith("].definition"):
        yield f"{place}: {typed!r} became {understood!r}"


if __name__ == "__main__":
    kind, name = sys.argv[1:]
    judge = {"compose": judge_compose, "dashboard": judge_dashboard}[kind]
    file, wrong = judge(pathlib.Path(name).read_text())
    if wrong:
        sys.exit("\n".join(wrong))
    print(json.dumps(file))
