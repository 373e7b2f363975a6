#!/usr/bin/env python3
"""Draws the example images: four classes of coloured shapes, twelve small JPEGs each.

    python3 examples/draw.py [FOLDER]        (needs Pillow; FOLDER: examples/images)

Shape, colour and name go together; place, size, turn, shade, background and noise vary, from a
fixed seed: the same Pillow draws the same files.
"""

import math
import random
import sys
from pathlib import Path

from PIL import Image, ImageDraw

SIDE = 48  # pixels of a finished image
SCALE = 4  # drawn larger, then reduced, so that edges are smooth
COUNT = 12  # images a class
QUALITY = 85
CLASSES = {
    "red_circle": (205, 45, 40),
    "blue_square": (45, 85, 200),
    "green_triangle": (45, 155, 70),
    "yellow_star": (235, 200, 45),
}


def regular(corners, turn, inner=1.0):
    """Corners of a regular polygon of radius 1; with `inner` < 1 those of a star."""
    points = []
    steps = corners if inner == 1.0 else 2 * corners
    for i in range(steps):
        radius = 1.0 if inner == 1.0 or i % 2 == 0 else inner
        angle = turn - math.pi / 2 + 2 * math.pi * i / steps
        points.append((radius * math.cos(angle), radius * math.sin(angle)))
    return points


def shape(name, turn):
    """Outline of a class's shape around the origin, radius 1."""
    return {
        "red_circle": lambda: regular(64, 0.0),
        "blue_square": lambda: regular(4, turn + math.pi / 4),
        "green_triangle": lambda: regular(3, turn),
        "yellow_star": lambda: regular(5, turn, inner=0.45),
    }[name]()


def image(name, colour, rng):
    """One image of a class."""
    side = SIDE * SCALE
    ground = rng.randint(70, 215)
    image = Image.new("RGB", (side, side), tuple(ground + rng.randint(-18, 18) for _ in range(3)))
    radius = side * rng.uniform(0.2, 0.38)
    x, y = (rng.uniform(radius, side - radius) for _ in range(2))
    points = shape(name, rng.uniform(-0.35, 0.35))
    outline = [(x + radius * dx, y + radius * dy) for dx, dy in points]
    fill = tuple(min(255, max(0, c + rng.randint(-22, 22))) for c in colour)
    ImageDraw.Draw(image).polygon(outline, fill=fill)

    image = image.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    noise = rng.uniform(2.0, 9.0)
    grain = bytes(
        min(255, max(0, round(value + rng.gauss(0.0, noise)))) for value in image.tobytes()
    )
    return Image.frombytes("RGB", image.size, grain)


def main():
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "images"
    rng = random.Random(2023)
    for name, colour in CLASSES.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(1, COUNT + 1):
            path = folder / name / f"{name}_{number:02}.jpg"
            image(name, colour, rng).save(path, quality=QUALITY, optimize=True)


if __name__ == "__main__":
    main()
