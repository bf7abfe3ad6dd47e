"""Mends ECharts' SVG so that every PDF viewer shows it, and makes its bytes repeatable.

Measured on WeasyPrint 70 and poppler: `paint-order` is ignored, so a label's halo hides the
label; `objectBoundingBox` gradients become a tiling pattern that poppler drops; and ids carry a
counter of the process.
"""

from __future__ import annotations

import copy
import hashlib
import re
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from defusedxml.ElementTree import fromstring

from reports.charts.fonts import printable

SVG = "http://www.w3.org/2000/svg"
XLINK = "http://www.w3.org/1999/xlink"
XML = "http://www.w3.org/XML/1998/namespace"
_OWN = "dailies-own-id-"
_NOT_DRAWN = {f"{{{SVG}}}{name}" for name in ("style", "script", "foreignObject")}
_URL = re.compile(r"url\(#([^)]+)\)")
_MARKUP = re.compile('[&<>"\\n\\r\\t]')
_NUMBER = re.compile(r"-?\d*\.?\d+(?:e-?\d+)?", re.IGNORECASE)

Element = ElementTree.Element


def clean_svg(raw: str) -> str:
    """The same picture with halos under their text, gradients in user space and fixed ids.

    Raises xml.etree.ElementTree.ParseError for what is not XML.
    """
    root: Any = fromstring(raw)
    _drop_scripts_and_styles(root)
    if "paint-order" in raw:
        _split_halos(root)
    if "Gradient" in raw:
        _place_gradients(root)
    parts: list[str] = []
    if ' id="' in raw:
        _number_ids(root)
    _write(root, parts, outermost=True)
    text = "".join(parts)
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    return text.replace(_OWN, f"d{digest}-")


def _drop_scripts_and_styles(root: Element) -> None:
    """ECharts adds hover styles; a picture needs neither those nor anything that runs."""
    for parent in root.iter():
        dropped = [child for child in parent if child.tag in _NOT_DRAWN]
        for child in dropped:
            parent.remove(child)


def _split_halos(root: Element) -> None:
    """Text with a stroke painted first becomes two texts: the stroke, then the fill."""
    for parent in list(root.iter()):
        for index, child in reversed(list(enumerate(parent))):
            style = child.get("style", "")
            if child.get("paint-order") != "stroke" and "paint-order" not in style:
                continue
            child.attrib.pop("paint-order", None)
            if style:
                child.set("style", re.sub(r"paint-order\s*:[^;]*;?", "", style))
            if child.get("stroke") in (None, "none"):
                continue
            halo = copy.deepcopy(child)
            halo.set("fill", "none")
            halo.set("aria-hidden", "true")
            for name in [n for n in child.attrib if n.startswith("stroke")]:
                del child.attrib[name]
            parent.insert(index, halo)


def _place_gradients(root: Element) -> None:
    """Gradients in the units of a shape's box are rewritten, one for each shape, in its own."""
    gradients = {
        g.get("id", ""): g
        for g in root.iter()
        if g.tag in {f"{{{SVG}}}linearGradient", f"{{{SVG}}}radialGradient"}
        and g.get("gradientUnits", "objectBoundingBox") == "objectBoundingBox"
    }
    if not gradients:
        return
    parents = {child: parent for parent in root.iter() for child in parent}
    made = 0
    for shape in list(root.iter()):
        for paint in ("fill", "stroke"):
            match = _URL.fullmatch(shape.get(paint, ""))
            gradient = gradients.get(match[1]) if match else None
            box = _box(shape) if gradient is not None else None
            if gradient is None or box is None:
                continue
            made += 1
            placed = copy.deepcopy(gradient)
            placed.set("id", f"{gradient.get('id')}-{made}")
            placed.set("gradientUnits", "userSpaceOnUse")
            _scale(placed, box)
            parents[gradient].append(placed)
            shape.set(paint, f"url(#{placed.get('id')})")
    for gradient in gradients.values():
        parents[gradient].remove(gradient)


def _scale(gradient: Element, box: tuple[float, float, float, float]) -> None:
    left, top, width, height = box
    linear = gradient.tag.endswith("linearGradient")
    defaults = {"x1": 0, "y1": 0, "x2": 1, "y2": 0} if linear else {"cx": 0.5, "cy": 0.5, "r": 0.5}
    for name, default in defaults.items():
        value = gradient.get(name, str(default))
        part = float(value[:-1]) / 100 if value.endswith("%") else float(value)
        if name == "r":
            placed = part * max(width, height)
        elif name in {"x1", "x2", "cx"}:
            placed = left + part * width
        else:
            placed = top + part * height
        gradient.set(name, f"{placed:g}")


def _box(shape: Element) -> tuple[float, float, float, float] | None:
    """The box of a path, rectangle or circle, as (left, top, width, height).

    Reads end and control points of absolute commands, which is what ECharts writes.
    """
    if shape.tag == f"{{{SVG}}}rect":
        x, y, w, h = (float(shape.get(n, "0")) for n in ("x", "y", "width", "height"))
        return x, y, w, h
    if shape.tag == f"{{{SVG}}}circle":
        x, y, r = (float(shape.get(n, "0")) for n in ("cx", "cy", "r"))
        return x - r, y - r, 2 * r, 2 * r
    xs: list[float] = []
    ys: list[float] = []
    for command, body in re.findall(r"([MLCQAHVZ])([^MLCQAHVZ]*)", shape.get("d", "")):
        numbers = [float(n) for n in _NUMBER.findall(body)]
        if command == "H":
            xs += numbers
        elif command == "V":
            ys += numbers
        elif command == "A":
            xs += numbers[5::7]
            ys += numbers[6::7]
        else:
            xs += numbers[0::2]
            ys += numbers[1::2]
    if not xs or not ys:
        return None
    return min(xs), min(ys), max(xs) - min(xs) or 1.0, max(ys) - min(ys) or 1.0


def _number_ids(root: Element) -> None:
    """Ids in order of appearance, under a prefix that is made from the picture itself."""
    names: dict[str, str] = {}
    for element in root.iter():
        if element.get("id"):
            names[element.get("id", "")] = f"{_OWN}c{len(names)}"
    for element in root.iter():
        for name, value in element.attrib.items():
            if name == "id":
                element.set(name, names.get(value, value))
            elif name in {"href", f"{{{XLINK}}}href"} and value[1:] in names:
                element.set(name, f"#{names[value[1:]]}")
            elif "url(#" in value:
                element.set(name, _URL.sub(lambda m: f"url(#{names.get(m[1], m[1])})", value))


def _write(element: Element, parts: list[str], *, outermost: bool = False) -> None:
    """As text. ElementTree's own writer is slower; its prefixes hang on what else was loaded."""
    tag = element.tag.removeprefix(f"{{{SVG}}}")
    parts.append(f"<{tag}")
    if outermost:
        parts.append(f' xmlns="{SVG}" xmlns:xlink="{XLINK}"')
    for name, value in element.attrib.items():
        if name == "class" or name.startswith("on"):
            continue
        if name[0] == "{":
            name = name.replace(f"{{{XLINK}}}", "xlink:").replace(f"{{{XML}}}", "xml:")
        if _MARKUP.search(value):
            value = escape(value).replace('"', "&quot;")
        parts.append(f' {name}="{value}"')
    text = (element.text or "").strip("\n")
    if not text and not len(element):
        parts.append("/>")
        return
    parts.append(f">{escape(printable(text))}")
    for child in element:
        _write(child, parts)
    parts.append(f"</{tag}>")
