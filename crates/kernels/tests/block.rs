//! A frozen block against the same function written with Burn's plain operations, sequence by
//! sequence: values and gradients, for ragged and equal lengths, causal or not, with and without
//! shared rows, in both precisions and without AVX-512.

use std::sync::Arc;

use burn::tensor::activation::{gelu, sigmoid, softmax};
use burn::tensor::{Device, Tensor, TensorData};
use promptsrc_goldens::{noise, relative_distance};
use promptsrc_kernels::{
    Activation, BlockShape, BlockWeights, FrozenBlock, InstructionSet, Layout, Precision,
};

fn tensor(seed: u64, rows: usize, columns: usize, scale: f32) -> Tensor<2> {
    let data = TensorData::new(noise(seed, rows * columns, scale), [rows, columns]);
    Tensor::from_data(data, &Device::flex())
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().expect("f32")
}

struct Weights {
    shape: BlockShape,
    matrices: Vec<Vec<f32>>,
}

impl Weights {
    fn new(shape: BlockShape) -> Self {
        let BlockShape { width, hidden, .. } = shape;
        let scale = |n: usize| 1.7 / (n as f32).sqrt();
        let gain = |seed| noise(seed, width, 0.3).iter().map(|x| x + 1.0).collect();
        Self {
            shape,
            matrices: vec![
                gain(1),
                noise(2, width, 0.2),
                noise(3, 3 * width * width, scale(width)),
                noise(4, 3 * width, 0.2),
                noise(5, width * width, scale(width)),
                noise(6, width, 0.2),
                gain(7),
                noise(8, width, 0.2),
                noise(9, hidden * width, scale(width)),
                noise(10, hidden, 0.2),
                noise(11, width * hidden, scale(hidden)),
                noise(12, width, 0.2),
            ],
        }
    }

    fn block(&self, set: InstructionSet, precision: Precision) -> FrozenBlock {
        let pair = |i: usize| [&self.matrices[i][..], &self.matrices[i + 1][..]];
        let weights = BlockWeights {
            ln_1: pair(0),
            in_proj: pair(2),
            out_proj: pair(4),
            ln_2: pair(6),
            c_fc: pair(8),
            c_proj: pair(10),
        };
        FrozenBlock::with_instruction_set(set, self.shape, precision, weights)
    }

    fn norm(&self, x: Tensor<2>, i: usize) -> Tensor<2> {
        let centred = x.clone() - x.mean_dim(1);
        let variance = centred.clone().powi_scalar(2).mean_dim(1);
        centred / (variance + self.shape.epsilon).sqrt() * self.row(i) + self.row(i + 1)
    }

    fn row(&self, i: usize) -> Tensor<2> {
        let values = self.matrices[i].clone();
        let n = values.len();
        Tensor::from_data(TensorData::new(values, [1, n]), &Device::flex())
    }

    fn linear(&self, x: Tensor<2>, i: usize) -> Tensor<2> {
        let outputs = self.matrices[i + 1].len();
        let inputs = self.matrices[i].len() / outputs;
        let data = TensorData::new(self.matrices[i].clone(), [outputs, inputs]);
        x.matmul(Tensor::<2>::from_data(data, &Device::flex()).transpose()) + self.row(i + 1)
    }

    /// One sequence, every row an output row: `fixed` rows that all rows attend to, then the
    /// sequence's own.
    fn sequence(&self, fixed: Option<Tensor<2>>, own: Tensor<2>, causal: bool) -> Tensor<2> {
        let BlockShape { width, heads, .. } = self.shape;
        let [n, _] = own.dims();
        let before = fixed.as_ref().map_or(0, |f| f.dims()[0]);
        let all = match fixed {
            Some(fixed) => Tensor::cat(vec![fixed, own.clone()], 0),
            None => own.clone(),
        };
        let joint = self.linear(self.norm(all, 0), 2);
        let dim = width / heads;
        let t = before + n;
        let mut hidden = vec![0.0f32; n * t];
        if causal {
            for i in 0..n {
                hidden[i * t + before + i + 1..(i + 1) * t].fill(f32::NEG_INFINITY);
            }
        }
        let mask: Tensor<2> = Tensor::from_data(TensorData::new(hidden, [n, t]), &Device::flex());
        let attended = (0..heads)
            .map(|h| {
                let part = |i: usize, rows| {
                    let at = i * width + h * dim;
                    joint.clone().slice([rows, at..at + dim])
                };
                let scores = part(0, before..t).matmul(part(1, 0..t).transpose())
                    / (dim as f32).sqrt()
                    + mask.clone();
                softmax(scores, 1).matmul(part(2, 0..t))
            })
            .collect();
        let x = own + self.linear(Tensor::cat(attended, 1), 4);
        let h = self.linear(self.norm(x.clone(), 6), 8);
        let h = match self.shape.activation {
            Activation::QuickGelu => h.clone() * sigmoid(h * 1.702),
            Activation::Gelu => gelu(h),
        };
        x + self.linear(h, 10)
    }
}

struct Case {
    lengths: Vec<usize>,
    causal: bool,
    output_rows: Option<Vec<usize>>,
    constant: usize,
    shared: usize,
    given: bool,
}

fn compare(weights: &Weights, case: &Case, set: InstructionSet, precision: Precision) {
    let width = weights.shape.width;
    let rows: usize = case.lengths.iter().sum();
    let learn = |t: Tensor<2>, yes: bool| {
        if yes { t.autodiff().require_grad() } else { t }
    };
    let constant = (case.constant > 0).then(|| tensor(20, case.constant, width, 1.0));
    let output_rows: Vec<usize> = case
        .output_rows
        .clone()
        .unwrap_or_else(|| (0..rows).collect());
    let direction = tensor(23, output_rows.len(), width, 1.0);
    let inputs = || {
        (
            learn(tensor(21, rows, width, 1.5), !case.given),
            (case.shared > 0).then(|| learn(tensor(22, case.shared, width, 1.0), true)),
        )
    };

    let (own, shared) = inputs();
    let fixed = match (constant.clone(), shared.clone()) {
        (Some(c), Some(s)) => Some(Tensor::cat(vec![c.autodiff(), s], 0)),
        (c, s) => c.or(s),
    };
    let mut start = 0;
    let outputs = case
        .lengths
        .iter()
        .map(|n| {
            let part = own.clone().slice([start..start + n, 0..width]);
            start += n;
            weights.sequence(fixed.clone(), part, case.causal)
        })
        .collect();
    let all: Tensor<2> = Tensor::cat(outputs, 0);
    let picked = output_rows
        .iter()
        .map(|row| all.clone().slice([*row..row + 1, 0..width]))
        .collect();
    let expected: Tensor<2> = Tensor::cat(picked, 0);
    let mut tape = (expected.clone() * direction.clone()).sum().backward();
    let expected_gradients = [
        (!case.given).then(|| own.grad_remove(&mut tape).expect("of own rows")),
        shared.map(|s| s.grad_remove(&mut tape).expect("of shared rows")),
    ];
    let expected = values(expected.inner());

    let block = weights.block(set, precision);
    let mut layout = Layout::new(case.lengths.iter().copied(), case.causal);
    if let Some(rows) = &case.output_rows {
        layout = layout.with_outputs(rows.clone());
    }
    let layout = Arc::new(layout);
    let constant = constant.map(|c| block.project(&values(c)));
    let (own, shared) = inputs();
    let given = case.given.then(|| block.project(&values(own.clone())));
    let out = block.forward(
        own.clone(),
        shared.clone(),
        &layout,
        constant.as_ref(),
        given.as_ref(),
    );
    let mut tape = (out.clone() * direction).sum().backward();
    let gradients = [
        (!case.given).then(|| own.clone().grad_remove(&mut tape).expect("of own rows")),
        shared
            .clone()
            .map(|s| s.grad_remove(&mut tape).expect("of shared rows")),
    ];
    let out = values(out.inner());

    let tolerance = match precision {
        Precision::F32 => 3e-6,
        // Eight bits of mantissa, in each of a dozen operands.
        Precision::Bf16 => 1e-2,
    };
    let error = relative_distance(&out, &expected);
    assert!(error < tolerance, "values: {error:.2e}");
    for (name, ours, theirs) in [
        ("own", &gradients[0], &expected_gradients[0]),
        ("shared", &gradients[1], &expected_gradients[1]),
    ] {
        let (Some(ours), Some(theirs)) = (ours, theirs) else {
            assert!(ours.is_none() && theirs.is_none());
            continue;
        };
        let error = relative_distance(&values(ours.clone()), &values(theirs.clone()));
        assert!(
            error < 3.0 * tolerance,
            "gradient of {name} rows: {error:.2e}"
        );
    }

    // Without gradients the numbers are the same, bit for bit.
    let untracked = block.forward(
        tensor(21, rows, width, 1.5),
        (case.shared > 0).then(|| tensor(22, case.shared, width, 1.0)),
        &layout,
        constant.as_ref(),
        given.as_ref(),
    );
    assert_eq!(values(untracked), out);
}

fn cases() -> Vec<Case> {
    let case =
        |lengths: &[usize], causal, output_rows: Option<&[usize]>, constant, shared, given| Case {
            lengths: lengths.to_vec(),
            causal,
            output_rows: output_rows.map(<[usize]>::to_vec),
            constant,
            shared,
            given,
        };
    vec![
        // Like images: equal lengths, shared prompts, all rows or only the first one an output row.
        case(&[50, 50, 50], false, None, 0, 4, false),
        case(&[50, 50, 50], false, Some(&[0, 50, 100]), 0, 4, false),
        case(&[37, 37], false, None, 0, 0, false),
        case(&[50, 50], false, None, 0, 4, true),
        case(&[21, 21], false, Some(&[0, 21]), 0, 2, true),
        // Like texts: ragged, causal, a constant start, a shared context, outputs at the ends.
        case(&[3, 7, 1, 5, 12, 13, 40], true, None, 1, 4, false),
        case(
            &[3, 7, 1, 5, 12, 13],
            true,
            Some(&[2, 9, 10, 15, 27, 40]),
            1,
            4,
            false,
        ),
        case(&[3, 7, 1], true, None, 1, 4, true),
        case(&[6], true, Some(&[4, 5]), 1, 0, false),
        case(&[1], true, None, 0, 0, false),
        // More sequences than groups.
        case(&[2; 45], true, None, 1, 3, false),
        // Sequences without output rows.
        case(&[4, 4, 4], true, Some(&[7]), 0, 2, false),
    ]
}

fn shape(width: usize, heads: usize, activation: Activation) -> BlockShape {
    BlockShape {
        width,
        heads,
        hidden: 4 * width,
        activation,
        epsilon: 1e-5,
    }
}

fn all(set: InstructionSet, precision: Precision) {
    for shape in [
        shape(128, 2, Activation::QuickGelu),
        // Widths that are not a multiple of a panel, nor of a pair.
        shape(80, 1, Activation::Gelu),
        shape(45, 3, Activation::QuickGelu),
    ] {
        let weights = Weights::new(shape);
        for case in cases() {
            compare(&weights, &case, set, precision);
        }
    }
}

#[test]
fn f32_is_exact_to_rounding_with_every_instruction_set() {
    for set in InstructionSet::available() {
        println!("{set}");
        all(set, Precision::F32);
    }
}

#[test]
fn bf16_is_exact_to_its_rounding() {
    if Precision::Bf16.check().is_err() {
        eprintln!("skipped: this processor has no bf16 instructions");
        return;
    }
    all(InstructionSet::detected(), Precision::Bf16);
}

#[test]
fn numbers_do_not_depend_on_threads() {
    let weights = Weights::new(shape(128, 2, Activation::QuickGelu));
    let run = |precision, threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .expect("a pool");
        pool.install(|| {
            let block = weights.block(InstructionSet::detected(), precision);
            let layout = Arc::new(Layout::new([3; 211], true));
            let constant = block.project(&noise(1, 128, 1.0));
            let own = tensor(2, 633, 128, 1.0).autodiff().require_grad();
            let shared = tensor(3, 4, 128, 1.0).autodiff().require_grad();
            let out = block.forward(
                own.clone(),
                Some(shared.clone()),
                &layout,
                Some(&constant),
                None,
            );
            let mut tape = (out.clone() * tensor(4, 633, 128, 1.0)).sum().backward();
            let gradients = [own, shared].map(|t| values(t.grad_remove(&mut tape).expect("one")));
            (values(out.inner()), gradients)
        })
    };
    for precision in [Precision::F32, Precision::Bf16] {
        if precision.check().is_err() {
            continue;
        }
        let one = run(precision, 1);
        for threads in [2, 3, 5] {
            assert!(run(precision, threads) == one, "{precision} {threads}");
        }
    }
}

/// The transposed matrices of the backward pass are packed on first use, by whichever task comes
/// first: while it packs them it must not pick up another task that waits for them.
#[test]
fn first_backward_pass_by_many_tasks_at_once_does_not_deadlock() {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(4)
        .build()
        .expect("a pool");
    let weights = Weights::new(shape(128, 2, Activation::QuickGelu));
    let layout = Arc::new(Layout::new([8; 60], true));
    for _ in 0..200 {
        let block = weights.block(InstructionSet::detected(), Precision::F32);
        let gradient = pool.install(|| {
            let own = tensor(2, 480, 128, 1.0).autodiff().require_grad();
            let out = block.forward(own.clone(), None, &layout, None, None);
            own.grad_remove(&mut out.sum().backward())
        });
        assert!(gradient.is_some());
    }
}
