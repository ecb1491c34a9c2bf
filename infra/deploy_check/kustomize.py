"""Builds an overlay as `kustomize build` would, with the few words of it that our manifests use; any other word is refused.

Nothing is deployed with this: it exists so that what a cluster would get can be judged where there is no kustomize.
"""

import copy
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from infra.deploy_check.documents import Tree, Unreadable, parse, read, short
from infra.deploy_check.patching import Unpatchable, apply_json, merge

WORDS = {"apiVersion", "kind", "namespace", "labels", "resources", "components", "images", "replicas", "patches"}
CLUSTER_WIDE = {"Namespace"}


class Broken(Exception):
    """An overlay cannot be built; the text says where and why."""


def build(folder: Path) -> list[Tree]:
    """Return every object of an overlay. Raises Broken."""
    return _apply(folder, [])


def _apply(folder: Path, objects: list[Tree]) -> list[Tree]:
    """Add a kustomization's own objects to those that are there, then change them all as it says."""
    place = short(folder)
    try:
        words: Tree = read(folder / "kustomization.yaml")[0]
        if unknown := words.keys() - WORDS:
            raise Broken(f"{place}: {', '.join(sorted(unknown))}: not understood by this check")
        for name in words.get("resources", ()):
            path = folder / name
            objects = objects + (build(path) if path.is_dir() else read(path))
        for name in words.get("components", ()):
            objects = _apply(folder / name, objects)
        _refuse_doubles(place, objects)
        for patch in words.get("patches", ()):
            _patch(folder, patch, objects)
    except (Unreadable, Unpatchable) as error:
        raise Broken(f"{place}: {error}") from None
    _finish(place, words, objects)
    return objects


def _finish(place: str, words: Tree, objects: list[Tree]) -> None:
    for replica in words.get("replicas", ()):
        for found in _named(place, objects, replica["name"], "replicas"):
            found["spec"]["replicas"] = replica["count"]
    for image in words.get("images", ()):
        _rename(objects, image)
    for item in objects:
        _mark(item, words)


def _refuse_doubles(place: str, objects: list[Tree]) -> None:
    seen: set[tuple[str, str]] = set()
    for item in objects:
        key = item["kind"], item["metadata"]["name"]
        if key in seen:
            raise Broken(f"{place}: {key[0]} {key[1]} is there twice")
        seen.add(key)


def _patch(folder: Path, patch: Tree, objects: list[Tree]) -> None:
    text = patch["patch"] if "patch" in patch else (folder / patch["path"]).read_text(encoding="utf-8")
    for change in parse(text):
        target = patch.get("target") or {"kind": change["kind"], "name": change["metadata"]["name"]}
        matching = [item for item in objects if _matches(item, target)]
        if not matching:
            raise Broken(f"{short(folder)}: a patch finds no {target.get('kind', '')} {target.get('name', '')}")
        for item in matching:
            if isinstance(change, list):
                apply_json(item, change)
            else:
                changed = merge(copy.deepcopy(item), change)
                item.clear()
                item.update(changed)


def _matches(item: Tree, target: Tree) -> bool:
    kind, name = target.get("kind", ".*"), target.get("name", ".*")
    return bool(re.fullmatch(kind, item["kind"]) and re.fullmatch(name, item["metadata"]["name"]))


def _named(place: str, objects: list[Tree], name: str, why: str) -> list[Tree]:
    kinds = {"Deployment", "StatefulSet"}
    found = [item for item in objects if item["kind"] in kinds and item["metadata"]["name"] == name]
    if not found:
        raise Broken(f"{place}: {why}: there is no {name}")
    return found


def _rename(objects: list[Tree], image: Tree) -> None:
    for container in containers(objects):
        name = container["image"].partition(":")[0]
        if name == image["name"]:
            tag = image.get("newTag")
            container["image"] = image.get("newName", name) + (f":{tag}" if tag else "")


def containers(objects: list[Tree]) -> Iterator[Tree]:
    """Yield every container of every pod that the objects make."""
    for item in objects:
        pod: Tree = item.get("spec", {}).get("template", {}).get("spec", {}) if item["kind"] in POD_KINDS else {}
        yield from pod.get("initContainers", ())
        yield from pod.get("containers", ())


POD_KINDS = {"Deployment", "StatefulSet"}


def _mark(item: Tree, words: Tree) -> None:
    if "namespace" in words and item["kind"] not in CLUSTER_WIDE:
        item["metadata"]["namespace"] = words["namespace"]
    for label in words.get("labels", ()):
        _label(item["metadata"], label["pairs"])
        if label.get("includeTemplates") and item["kind"] in POD_KINDS:
            _label(item["spec"]["template"]["metadata"], label["pairs"])


def _label(metadata: dict[str, Any], pairs: dict[str, str]) -> None:
    metadata["labels"] = {**metadata.get("labels", {}), **pairs}
