"""Writes the goldens of `formats`: one micro CLIP with random weights, in every kind of file.

    python make/formats.py --oracle DIR [--out data/formats]

DIR holds `oracle.py`, the plain PyTorch implementation that the expected numbers come from
(float64). Needs torch, safetensors, transformers. The same seed gives the same weights; the
archives' bytes may differ between versions of torch.
"""

import argparse
import json
import sys
import zipfile
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

SEED = 20230713
DIMS = dict(res=32, patch=8, vw=64, vl=1, tw=64, tl=2, ctx=77, vocab=416, embed=32, logit_scale=4.60546875)
# What OpenAI's files keep in half precision; all else is float32 there.
HALF = ("conv1.weight", "in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias", "c_fc.weight",
        "c_fc.bias", "c_proj.weight", "c_proj.bias", "text_projection", "visual.proj")
MEAN = [0.48145466, 0.4578275, 0.40821073]
STD = [0.26862954, 0.26130258, 0.27577711]


def weights():
    """OpenAI's names to random float16 weights of a sensible scale, in the order of OpenAI's files."""
    generator = torch.Generator().manual_seed(SEED)
    d = DIMS
    out = {}

    def normal(name, *shape, std, mean=0.0):
        out[name] = (mean + std * torch.randn(*shape, generator=generator)).half()

    def norm(name, width):
        normal(f"{name}.weight", width, std=0.1, mean=1.0)
        normal(f"{name}.bias", width, std=0.1)

    def linear(name, into, width, std, weight=".weight", bias=".bias"):
        normal(name + weight, into, width, std=std)
        normal(name + bias, into, std=0.05)

    def tower(prefix, width, layers):
        for layer in range(layers):
            block = f"{prefix}transformer.resblocks.{layer}"
            linear(f"{block}.attn", 3 * width, width, 1.5 * width**-0.5, ".in_proj_weight", ".in_proj_bias")
            linear(f"{block}.attn.out_proj", width, width, width**-0.5)
            norm(f"{block}.ln_1", width)
            linear(f"{block}.mlp.c_fc", 4 * width, width, width**-0.5)
            linear(f"{block}.mlp.c_proj", width, 4 * width, 0.5 * width**-0.5)
            norm(f"{block}.ln_2", width)

    normal("positional_embedding", d["ctx"], d["tw"], std=0.05)
    normal("text_projection", d["tw"], d["embed"], std=d["tw"] ** -0.5)
    out["logit_scale"] = torch.tensor(d["logit_scale"]).half()
    normal("visual.class_embedding", d["vw"], std=d["vw"] ** -0.5)
    normal("visual.positional_embedding", 1 + (d["res"] // d["patch"]) ** 2, d["vw"], std=d["vw"] ** -0.5)
    normal("visual.proj", d["vw"], d["embed"], std=d["vw"] ** -0.5)
    normal("visual.conv1.weight", d["vw"], 3, d["patch"], d["patch"], std=(3 * d["patch"] ** 2) ** -0.5)
    norm("visual.ln_pre", d["vw"])
    tower("visual.", d["vw"], d["vl"])
    norm("visual.ln_post", d["vw"])
    tower("", d["tw"], d["tl"])
    normal("token_embedding.weight", d["vocab"], d["tw"], std=0.1)
    norm("ln_final", d["tw"])
    return out


def openai_dtypes(state):
    return {name: t.clone() if name.endswith(HALF) else t.float() for name, t in state.items()}


class Holder(nn.Module):
    """A module that only holds tensors and modules; TorchScript needs no more for a weight file."""


def module(state):
    """The nested modules that `state` is the state dictionary of."""
    root = Holder()
    for name, tensor in state.items():
        *path, leaf = name.split(".")
        parent = root
        for part in path:
            if not hasattr(parent, part):
                parent.add_module(part, Holder())
            parent = getattr(parent, part)
        if tensor.is_floating_point():
            parent.register_parameter(leaf, nn.Parameter(tensor, requires_grad=False))
        else:
            parent.register_buffer(leaf, tensor)
    return root


def save_script(state, path):
    numbers = {"input_resolution": DIMS["res"], "context_length": DIMS["ctx"], "vocab_size": DIMS["vocab"]}
    whole = state | {name: torch.tensor(number) for name, number in numbers.items()}
    torch.jit.save(torch.jit.script(module(whole)), str(path))


def retag(source, path, device="cuda:0"):
    """The same archive as if saved from `device`: OpenAI's were."""
    old, new = (b"X" + len(d).to_bytes(4, "little") + d.encode() for d in ("cpu", device))
    with zipfile.ZipFile(source) as read, zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as write:
        for entry in read.infolist():
            data = read.read(entry)
            if entry.filename.endswith("/data.pkl"):
                assert data.count(old) == 1
                data = data.replace(old, new)
            # A fixed date, so that the file depends on its contents only.
            write.writestr(zipfile.ZipInfo(entry.filename), data, entry.compress_type)


def hugging_face(state, folder):
    from transformers import CLIPConfig, CLIPModel

    d = DIMS
    config = CLIPConfig(
        projection_dim=d["embed"], logit_scale_init_value=d["logit_scale"],
        text_config=dict(hidden_size=d["tw"], intermediate_size=4 * d["tw"], num_hidden_layers=d["tl"],
                         num_attention_heads=d["tw"] // 64, max_position_embeddings=d["ctx"], vocab_size=d["vocab"],
                         projection_dim=d["embed"], hidden_act="quick_gelu", bos_token_id=0, eos_token_id=2),
        vision_config=dict(hidden_size=d["vw"], intermediate_size=4 * d["vw"], num_hidden_layers=d["vl"],
                           num_attention_heads=d["vw"] // 64, image_size=d["res"], patch_size=d["patch"],
                           projection_dim=d["embed"], hidden_act="quick_gelu"),
    )
    names = {
        "visual.class_embedding": "vision_model.embeddings.class_embedding",
        "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
        "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
        "visual.proj": "visual_projection.weight",
        "positional_embedding": "text_model.embeddings.position_embedding.weight",
        "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
        "text_projection": "text_projection.weight",
        "logit_scale": "logit_scale",
    }
    parts = (("visual.transformer.resblocks", "vision_model.encoder.layers"),
             ("transformer.resblocks", "text_model.encoder.layers"), ("visual.ln_pre", "vision_model.pre_layrnorm"),
             ("visual.ln_post", "vision_model.post_layernorm"), ("ln_final", "text_model.final_layer_norm"),
             ("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"), ("c_fc", "fc1"), ("c_proj", "fc2"),
             ("attn.", "self_attn."))
    renamed = {}
    for name, tensor in state.items():
        if name in names:
            renamed[names[name]] = tensor.T if name in ("visual.proj", "text_projection") else tensor
            continue
        for old, new in parts:
            name = name.replace(old, new)
        if "in_proj_" in name:
            for which, part in zip("qkv", tensor.chunk(3)):
                renamed[name.replace("in_proj_", f"{which}_proj.")] = part
        else:
            renamed[name] = tensor
    model = CLIPModel(config)
    missing, unexpected = model.load_state_dict(renamed, strict=False)
    assert not unexpected and all("position_ids" in name for name in missing), (missing, unexpected)
    model.half().save_pretrained(folder)
    return model.float().eval()


def open_clip(state, folder):
    folder.mkdir(parents=True, exist_ok=True)
    d = DIMS
    config = {
        "model_cfg": {
            "embed_dim": d["embed"],
            "vision_cfg": {"image_size": d["res"], "layers": d["vl"], "width": d["vw"], "patch_size": d["patch"],
                           "head_width": 64},
            "text_cfg": {"context_length": d["ctx"], "vocab_size": d["vocab"], "width": d["tw"],
                         "heads": d["tw"] // 64, "layers": d["tl"]},
            "quick_gelu": True,
        },
        "preprocess_cfg": {"mean": MEAN, "std": STD},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=1) + "\n")
    save_file(state, folder / "open_clip_model.safetensors")
    shared = ("visual.", "logit_scale")
    save_file({n if n.startswith(shared) else f"text.{n}": t for n, t in state.items()},
              folder / "open_clip_customtext.safetensors")
    torch.save({"epoch": 1, "name": "golden", "state_dict": {f"module.{n}": t for n, t in state.items()}},
               folder / "epoch_1.pt")


def inputs():
    generator = torch.Generator().manual_seed(SEED + 1)
    images = torch.randn(3, 3, DIMS["res"], DIMS["res"], generator=generator)
    start, end = DIMS["vocab"] - 2, DIMS["vocab"] - 1
    ids = torch.zeros(6, DIMS["ctx"], dtype=torch.int32)
    for row, length in zip(ids, (3, 5, 7, 12, 40, DIMS["ctx"])):
        row[:length] = torch.randint(1, start, (length,), generator=generator)
        row[0], row[length - 1] = start, end
    return images, ids


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--oracle", type=Path, required=True, help="folder with oracle.py")
    arguments.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent / "data" / "formats")
    options = arguments.parse_args()
    sys.path.insert(0, str(options.oracle))
    import oracle

    out = options.out
    out.mkdir(parents=True, exist_ok=True)
    state = weights()
    mixed = openai_dtypes(state)
    save_file(state, out / "a_openai_fp16.safetensors", metadata={"format": "pt"})
    save_script(mixed, out / "b_torchscript.pt")
    retag(out / "b_torchscript.pt", out / "b2_torchscript_cuda0.pt")
    torch.save(mixed, out / "c_state_dict.pt")
    model = hugging_face(state, out / "d_hf")
    open_clip(state, out / "e_openclip")

    images, ids = inputs()

    @torch.no_grad()
    def features(clip):
        return oracle.image_features(clip, images), oracle.text_features(clip, ids.long())

    reference = oracle.ClipWeights(state, torch.float64)
    image, text = features(reference)
    scale = reference["logit_scale"].exp()
    expected = {"images": images, "token_ids": ids, "image_features": image, "text_features": text,
                "logits": scale * oracle.unit(image) @ oracle.unit(text).T}
    expected = {n: t.float().contiguous() if t.is_floating_point() else t for n, t in expected.items()}
    save_file(expected, out / "expected.safetensors")

    def difference(found):
        return [(a.double() - b).abs().max().item() for a, b in zip(found, (image, text))]

    differences = {}
    for name in ("a_openai_fp16.safetensors", "b_torchscript.pt", "b2_torchscript_cuda0.pt", "c_state_dict.pt"):
        differences[name] = difference(features(oracle.ClipWeights.load(out / name, torch.float64)))
        assert max(differences[name]) == 0, name
    with torch.no_grad():
        # transformers pools at the highest id where eos_token_id is 2.
        answer = model(input_ids=ids.long(), pixel_values=images)
        unit = [oracle.unit(image), oracle.unit(text)]
        found = [answer.image_embeds.double(), answer.text_embeds.double()]
        differences["d_hf (transformers, unit length)"] = [(a - b).abs().max().item() for a, b in zip(found, unit)]
    assert max(differences["d_hf (transformers, unit length)"]) < 1e-5, differences
    described = {n: [str(t.dtype).removeprefix("torch."), list(t.shape)] for n, t in expected.items()}
    note = "features are NOT normalised; logits = exp(logit_scale)*unit(img)@unit(txt).T; end token = highest id"
    text = {"dims": DIMS, "max_abs_diff_image_text_features": differences, "tensors": described, "note": note}
    (out / "expected.json").write_text(json.dumps(text, indent=1) + "\n")
    for path in sorted(out.rglob("*")):
        if path.is_file():
            print(f"{path.stat().st_size:>8} {path.relative_to(out)}")
            assert path.stat().st_size < 600_000, path


if __name__ == "__main__":
    main()
