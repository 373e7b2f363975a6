"""Makes the images beside this file, with each EXIF orientation, and expected.json: what Pillow's
ImageOps.exif_transpose makes of them. `python make.py`, with Pillow 13.0."""

import json
import pathlib
import zlib

from PIL import Image, ImageOps
from PIL.PngImagePlugin import PngInfo

HERE = pathlib.Path(__file__).parent
XMP = '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description tiff:Orientation="{}"/></rdf:RDF></x:xmpmeta>'


def scene(width, height):
    image = Image.new("RGB", (width, height))
    for y in range(height):
        for x in range(width):
            image.putpixel((x, y), (7 * x % 256, 11 * y % 256, 3 * x * y % 256))
    return image


def main():
    image = scene(23, 14)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        exif[0x010F] = "a camera"
        image.save(HERE / f"jpeg_{orientation}.jpg", exif=exif, quality=90)
    for orientation in (2, 6, 8):
        exif = Image.Exif()
        exif[0x0112] = orientation
        image.save(HERE / f"png_{orientation}.png", exif=exif)
        image.save(HERE / f"webp_{orientation}.webp", exif=exif, lossless=True)
    exif = Image.Exif()
    exif[0x0112] = 9
    image.save(HERE / "jpeg_invalid.jpg", exif=exif)
    image.save(HERE / "jpeg_xmp.jpg", xmp=XMP.format(5).encode())
    image.save(HERE / "webp_xmp.webp", xmp=XMP.format(7).encode(), lossless=True)
    info = PngInfo()
    info.add_itxt("XML:com.adobe.xmp", XMP.format(3))
    image.save(HERE / "png_xmp.png", pnginfo=info)
    big = Image.Exif()
    big.endian = ">"
    big[0x0112] = 6
    image.save(HERE / "jpeg_big_endian.jpg", exif=big.tobytes())
    image.save(HERE / "tiff_6.tif", tiffinfo={274: 6})

    # The EXIF chunk behind the pixels.
    png = (HERE / "png_8.png").read_bytes()
    start = png.index(b"eXIf") - 4
    length = 12 + int.from_bytes(png[start : start + 4], "big")
    end = png.index(b"IEND") - 4
    moved = png[:start] + png[start + length : end] + png[start : start + length] + png[end:]
    (HERE / "png_behind.png").write_bytes(moved)

    expected = {}
    for path in sorted(HERE.iterdir()):
        if path.suffix in (".py", ".json"):
            continue
        stored = Image.open(path)
        stored.load()
        upright = ImageOps.exif_transpose(stored).convert("RGB")
        expected[path.name] = {
            "width": upright.width,
            "height": upright.height,
            "pixels": zlib.crc32(upright.tobytes()),
        }
    text = json.dumps(expected, indent=1, sort_keys=True)
    (HERE / "expected.json").write_text(text + "\n")


main()
