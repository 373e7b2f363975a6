//! The towers, with every saving, have the features and gradients of the plain CLIP, to rounding.

use burn::tensor::{Device, Tensor, TensorData};
use promptsrc_clip::plain::PlainClip;
use promptsrc_clip::{ClipModel, ClipWeights, Slot, Tokenizer, values};
use promptsrc_goldens::{self as goldens, noise, relative_distance};

struct Both {
    clip: ClipModel,
    plain: PlainClip,
}

/// The towers with the kernels for frozen weights, and with plain tensor operations as on other
/// devices, each beside the plain CLIP.
fn both() -> [Both; 2] {
    let name = goldens::list("tiny")
        .into_iter()
        .find(|n| n.ends_with(".safetensors"));
    let path = goldens::path("tiny").join(name.expect("a CLIP among the goldens"));
    let weights = ClipWeights::open(&path).expect("a whole CLIP");
    let device = Device::flex();
    [
        ClipModel::new(&weights, &device),
        ClipModel::plain(&weights, &device),
    ]
    .map(|clip| Both {
        clip: clip.expect("a whole CLIP"),
        plain: PlainClip::new(&weights, &device).expect("a whole CLIP"),
    })
}

fn prompts(depth: usize, n_ctx: usize, width: usize, learn: bool) -> Vec<Tensor<2>> {
    (0..depth)
        .map(|l| {
            let data = TensorData::new(noise(7 + l as u64, n_ctx * width, 0.5), [n_ctx, width]);
            let tensor = Tensor::from_data(data, &Device::flex());
            if learn {
                tensor.autodiff().require_grad()
            } else {
                tensor
            }
        })
        .collect()
}

fn images(n: usize, side: usize) -> Tensor<4> {
    let data = TensorData::new(noise(3, n * 3 * side * side, 2.0), [n, 3, side, side]);
    Tensor::from_data(data, &Device::flex())
}

fn tokens(texts: &[&str]) -> Vec<Vec<u32>> {
    texts
        .iter()
        .map(|t| {
            Tokenizer::clip()
                .tokenize(t, 77, false)
                .expect("a short text")
        })
        .collect()
}

fn assert_close<const D: usize>(what: &str, a: Tensor<D>, b: Tensor<D>, tolerance: f64) {
    let gap = relative_distance(&values(a), &values(b));
    assert!(gap < tolerance, "{what}: relative distance {gap:.3e}");
}

/// Features and gradients of a random linear function of them.
fn assert_same_gradients(
    what: &str,
    prompts_of: impl Fn() -> Vec<Tensor<2>>,
    ours: impl Fn(&[Tensor<2>]) -> Tensor<2>,
    theirs: impl Fn(&[Tensor<2>]) -> Tensor<2>,
) {
    let gradients = |f: &dyn Fn(&[Tensor<2>]) -> Tensor<2>| {
        let prompts = prompts_of();
        let out = f(&prompts);
        let dims = out.dims();
        let direction = TensorData::new(noise(99, dims[0] * dims[1], 1.0), dims);
        let direction: Tensor<2> = Tensor::from_data(direction, &Device::flex());
        let mut tape = (out.clone() * direction).sum().backward();
        let gradients: Vec<_> = prompts.iter().map(|p| p.grad_remove(&mut tape)).collect();
        (out.inner(), gradients)
    };
    let (a, ga) = gradients(&ours);
    let (b, gb) = gradients(&theirs);
    assert_close(what, a, b, 3e-6);
    for (layer, (a, b)) in ga.into_iter().zip(gb).enumerate() {
        let (a, b) = (a.expect("a gradient"), b.expect("a gradient"));
        assert_close(&format!("{what}: gradient of prompt {layer}"), a, b, 2e-5);
    }
}

const NAMES: [&str; 5] = [
    "a photo of a cat.",
    "a photo of a Boeing 737-800.",
    "a photo of a dog.",
    "a photo of a very small golden retriever puppy.",
    "a photo of a tree.",
];

#[test]
fn what_follows_end_of_text_is_ignored() {
    for Both { clip, plain } in both() {
        let clean = tokens(&NAMES);
        let mut dirty = clean.clone();
        for (i, text) in dirty.iter_mut().enumerate() {
            text.extend([320 + i as u32, 1125, 539]);
        }
        let expected = plain.text_features(&dirty, &[]);
        assert_close(
            "clean",
            clip.text().encode(&clean).unwrap(),
            expected.clone(),
            3e-6,
        );
        assert_close("dirty", clip.text().encode(&dirty).unwrap(), expected, 3e-6);
    }
}

#[test]
fn shared_prefix_of_frozen_texts_is_computed_once() {
    for Both { clip, plain } in both() {
        let lists: [&[&str]; 5] = [
            &NAMES,
            // Only start-of-text in common.
            &["cat", "a dog", "two birds texture."],
            // One text is the beginning of another.
            &["a photo", "a photo of", "a photo of a dog"],
            // All equal.
            &["a cat", "a cat"],
            &["one text alone"],
        ];
        for texts in lists {
            let tokens = tokens(texts);
            let input = clip.text().prepare(&tokens, 0).unwrap();
            let (prefix, own) = input.lengths();
            // Every token once but those that all texts share, and no padding.
            let all: usize = tokens.iter().map(Vec::len).sum();
            assert_eq!(own, all - prefix * texts.len(), "{texts:?}");
            let ours = clip.text().features(&input, &[]);
            assert_close(
                &format!("{texts:?}"),
                ours,
                plain.text_features(&tokens, &[]),
                3e-6,
            );
        }
    }
}

#[test]
fn text_prompts_of_every_depth_and_length_equal_the_plain_form() {
    for Both { clip, plain } in both() {
        let tokens = tokens(&NAMES);
        for depth in 1..=clip.text().layers() + 1 {
            // Shorter than the words that all texts share, as long, and overlaying the class name.
            for n_ctx in [1, 2, 4, 5] {
                let input = clip.text().prepare(&tokens, n_ctx).unwrap();
                assert_same_gradients(
                    &format!("text, depth {depth}, {n_ctx} tokens"),
                    || {
                        prompts(
                            depth.min(clip.text().layers()),
                            n_ctx,
                            clip.text().width(),
                            true,
                        )
                    },
                    |p| clip.text().features(&input, p),
                    |p| plain.text_features(&tokens, p),
                );
            }
        }
    }
}

#[test]
fn a_context_at_any_place_and_of_each_text_equals_the_plain_form() {
    // (what, slots of a text with these many tokens between start and end, rows of the context).
    type Slots = fn(usize, usize) -> Vec<Slot>;
    let cases: [(&str, Slots, usize); 4] = [
        ("after the start", |_, _| at(&[(1, 0), (2, 1)]), 2),
        (
            "around the name",
            |_, n| at(&[(1, 0), (2, 1), (n - 1, 2)]),
            3,
        ),
        ("before the end", |_, n| at(&[(n - 1, 0), (n, 1)]), 2),
        (
            "of each text",
            |text, _| at(&[(1, 2 * text), (3, 2 * text + 1)]),
            2 * NAMES.len(),
        ),
    ];
    for Both { clip, plain } in both() {
        let tokens = tokens(&NAMES);
        for (what, of, rows) in &cases {
            let slots: Vec<Vec<Slot>> = tokens
                .iter()
                .enumerate()
                .map(|(text, ids)| of(text, ids.len() - 2))
                .collect();
            let input = clip.text().prepare_placed(&tokens, &slots, *rows).unwrap();
            assert_same_gradients(
                what,
                || prompts(1, *rows, clip.text().width(), true),
                |p| clip.text().features(&input, p),
                |p| plain.text_features_placed(&tokens, &slots, &p[0]),
            );
            // Without a prompt, the frozen features of the tokens.
            assert_close(
                what,
                clip.text().features(&input, &[]),
                plain.text_features(&tokens, &[]),
                3e-6,
            );
        }
        // What all texts begin with is computed once.
        let shared = vec![at(&[(1, 0), (2, 1)]); tokens.len()];
        let input = clip.text().prepare_placed(&tokens, &shared, 2).unwrap();
        assert_eq!(input.lengths().0, 3);

        let beyond = vec![at(&[(60, 0)]); tokens.len()];
        let error = clip.text().prepare_placed(&tokens, &beyond, 1).unwrap_err();
        assert!(error.to_string().contains("position 60"), "{error}");
    }
}

fn at(places: &[(usize, usize)]) -> Vec<Slot> {
    let slot = |&(position, row)| Slot { position, row };
    places.iter().map(slot).collect()
}

#[test]
fn visual_prompts_of_every_depth_and_length_equal_the_plain_form() {
    for Both { clip, plain } in both() {
        let images = images(3, clip.vision().resolution());
        let stem = clip.vision().stem(images.clone());
        for depth in 1..=clip.vision().layers() {
            for n_ctx in [1, 4, 7] {
                assert_same_gradients(
                    &format!("vision, depth {depth}, {n_ctx} tokens"),
                    || prompts(depth, n_ctx, clip.vision().width(), true),
                    |p| clip.vision().features(&stem, p),
                    |p| plain.image_features(images.clone(), p),
                );
            }
        }
    }
}

#[test]
fn the_constant_half_of_the_first_layer_serves_the_frozen_and_the_prompted_pass() {
    for Both { clip, plain } in both() {
        let images = images(2, clip.vision().resolution());
        let stem = clip.vision().stem(images.clone());
        let deep = prompts(2, 4, clip.vision().width(), false);
        let frozen = clip.vision().features(&stem, &[]);
        let prompted = clip.vision().features(&stem, &deep);
        let again = clip.vision().features(&stem, &[]);
        assert_eq!(
            values(frozen.clone()),
            values(again),
            "the stem is left as it was"
        );
        assert_close(
            "frozen",
            frozen,
            plain.image_features(images.clone(), &[]),
            3e-6,
        );
        assert_close(
            "prompted",
            prompted,
            plain.image_features(images, &deep),
            3e-6,
        );
    }
}

#[test]
fn features_of_a_text_do_not_depend_on_the_texts_encoded_with_it() {
    for Both { clip, .. } in both() {
        let many: Vec<String> = (0..150)
            .map(|i| format!("a photo of the number {i}."))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let together = values(clip.text().encode(&tokens(&many)).unwrap());
        let embed = together.len() / many.len();
        for i in [0, 9, 77, 149] {
            let alone = clip.text().encode(&tokens(&many[i..=i])).unwrap();
            let row = TensorData::new(together[i * embed..(i + 1) * embed].to_vec(), [1, embed]);
            assert_close(
                many[i],
                Tensor::<2>::from_data(row, &Device::flex()),
                alone,
                3e-6,
            );
        }
    }
}

#[test]
fn texts_that_cannot_be_encoded_are_named() {
    for Both { clip, .. } in both() {
        let text = clip.text();
        let error =
            |tokens: &[Vec<u32>], n_ctx| text.prepare(tokens, n_ctx).unwrap_err().to_string();
        assert!(error(&[], 0).contains("no text"));
        assert!(error(&[vec![]], 0).contains("0 tokens"));
        assert!(error(&[vec![49406, 320, 49407], vec![320, 320, 49407]], 0).contains("text 1"));
        assert!(error(&[vec![49406, 320, 49999]], 0).contains("49999"));
        assert!(error(&[vec![49406, 320, 49407]], 2).contains("2 learnable"));
        let mut long = vec![49406];
        long.resize(100, 320);
        long.push(49407);
        assert!(error(&[long], 0).contains("77"));
    }
}
