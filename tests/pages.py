"""What a page of HTML holds, and a picture of PNG."""

import base64
import io
from html.parser import HTMLParser

import numpy as np
from matplotlib import image
from matplotlib.colors import to_rgb


class Page(HTMLParser):
    """The `tables` of a page, rows of the cells' texts; its `headings`; its pictures, sources by alternative text; all
    of its `text`, and the `addresses` that it leads to."""

    def __init__(self, text):
        super().__init__()
        self.tables, self.headings, self.pictures, self.addresses = [], [], {}, []
        self.inside, self.texts = [], []
        self.feed(text)
        self.close()
        self.text = " ".join("".join(self.texts).split())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
        elif tag in ("h1", "h2"):
            self.headings.append("")
        elif tag == "img":
            self.pictures[attributes["alt"]] = attributes["src"]
        self.addresses += [attributes[name] for name in ("href", "src") if name in attributes]
        if tag not in ("meta", "img", "br", "link"):
            self.inside.append(tag)

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data):
        if "style" in self.inside:
            return
        self.texts.append(data)
        for tag in self.inside:
            if tag in ("td", "th"):
                self.tables[-1][-1][-1] += data.strip()
            elif tag in ("h1", "h2"):
                self.headings[-1] += data


def numbers(row):
    """A row's first cell, and the others as numbers."""
    return row[0], [float(value) for value in row[1:]]


def embedded(source):
    """The picture of a `data:` address, `(row, column, 3)` in 0..1."""
    kind, _, content = source.partition(",")
    assert kind == "data:image/png;base64"
    return image.imread(io.BytesIO(base64.b64decode(content)))[..., :3]


def picture(path):
    """`(row, column, 3)` in 0..1."""
    return image.imread(path)[..., :3]


def is_colour(pixels, colour, tolerance=0.02):
    """Which pixels have that colour."""
    return np.all(np.abs(pixels - to_rgb(colour)) <= tolerance, axis=-1)
