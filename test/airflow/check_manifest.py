"""Reads a Kubernetes manifest as YAML on standard input, and prints a line for each field that Kubernetes doesn't know,
lacks, or has with another type.
"""

import re
import sys

import yaml
from kubernetes.client import models

plain = {"str": str, "int": int, "bool": bool, "object": object}


def faults(value, kind, path):
    inner = re.fullmatch(r"(?:list\[|dict[(\[]str, )(.*)[\])]", kind)
    if kind.startswith("list["):
        if not isinstance(value, list):
            return [f"{path}: must be a list"]
        return [fault for index, item in enumerate(value) for fault in faults(item, inner[1], f"{path}[{index}]")]
    if kind.startswith("dict"):
        return [fault for name, item in value.items() for fault in faults(item, inner[1], f"{path}.{name}")]
    if kind in plain:
        return [] if isinstance(value, plain[kind]) else [f"{path}: must be {kind}"]
    model = getattr(models, kind)
    names = {name: attribute for attribute, name in model.attribute_map.items()}
    unknown = [f"{path}.{name}: {kind} has no such field" for name in value if name not in names]
    known = {names[name]: item for name, item in value.items() if name in names}
    nested = [
        fault
        for attribute, item in known.items()
        for fault in faults(item, model.openapi_types[attribute], f"{path}.{model.attribute_map[attribute]}")
    ]
    try:
        model(**known)
    except ValueError as missing:
        nested.append(f"{path}: {missing}")
    return unknown + nested


manifest = yaml.safe_load(sys.stdin)
for fault in faults(manifest, f"V1{manifest['kind']}", manifest["kind"]):
    print(fault)
