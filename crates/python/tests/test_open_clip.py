"""Features against open_clip with the same weights, where it is installed."""

from __future__ import annotations

import numpy as np
import pytest

import promptsrc

from conftest import REPOSITORY

torch = pytest.importorskip("torch")
open_clip = pytest.importorskip("open_clip")


def test_features_of_real_images_are_those_of_open_clip(tmp_path) -> None:
    from PIL import Image

    torch.manual_seed(7)
    model, _, preprocess = open_clip.create_model_and_transforms("ViT-B-32-quickgelu", pretrained=None)
    model.eval()
    weights = tmp_path / "weights.pt"
    torch.save(model.state_dict(), weights)
    clip = promptsrc.Clip.open(weights, precision="f32", activation="quick-gelu")
    files = sorted(str(path) for path in REPOSITORY.rglob("*.jpg") if "target" not in path.parts)
    files = [path for path in files if _opens(path)][:40]
    with torch.no_grad():
        # Converted first, as the published trainers do; open_clip resizes CMYK as it is.
        batch = torch.stack([preprocess(Image.open(path).convert("RGB")) for path in files])
        expected = model.encode_image(batch).numpy()
        tokens = open_clip.get_tokenizer("ViT-B-32-quickgelu")(["a photo of a cat.", "a dog"])
        texts = model.encode_text(tokens).numpy()
    for what, ours, theirs in (
        ("images", clip.encode_images(files), expected),
        ("texts", clip.encode_texts(["a photo of a cat.", "a dog"]), texts),
    ):
        error = np.abs(ours - theirs).max() / np.abs(theirs).max()
        print(f"{what}: {len(ours)}, largest relative difference {error:.2e}")
        assert error < 1e-5


def _opens(path: str) -> bool:
    from PIL import Image

    try:
        with Image.open(path) as image:
            image.load()
        return True
    except Exception:
        return False
