//! The innermost loops on AVX-512.
//!
//! A tile of 12 x 32 sums fills 24 of the 32 vector registers; each step of the summed axis loads
//! two vectors of the panel and broadcasts one number per row, so that the multipliers, not the
//! loads, are the limit.

use std::arch::x86_64::*;
use std::mem::transmute;

use half::bf16;

use crate::tile::{Left, Order, TILE, heights};

/// `(steps, left, stride of left, panel, out, stride of out)`; of `bf16`, steps are pairs.
///
/// # Safety
/// The processor has the instructions, and the operands are as long as `microkernel::panel` checks.
type Kernel<E> = unsafe fn(usize, *const E, usize, *const E, *mut f32, usize);

macro_rules! by_rows {
    ($kernel:ident $(, $order:literal)?) => {
        [
            $kernel::<1 $(, $order)?>,
            $kernel::<2 $(, $order)?>,
            $kernel::<3 $(, $order)?>,
            $kernel::<4 $(, $order)?>,
            $kernel::<5 $(, $order)?>,
            $kernel::<6 $(, $order)?>,
            $kernel::<7 $(, $order)?>,
            $kernel::<8 $(, $order)?>,
            $kernel::<9 $(, $order)?>,
            $kernel::<10 $(, $order)?>,
            $kernel::<11 $(, $order)?>,
            $kernel::<12 $(, $order)?>,
        ]
    };
}

static F32_ROW_MAJOR: [Kernel<f32>; TILE] = by_rows!(f32_tile, false);
static F32_COLUMN_MAJOR: [Kernel<f32>; TILE] = by_rows!(f32_tile, true);
static BF16_ROW_MAJOR: [Kernel<u16>; TILE] = by_rows!(bf16_tile);

/// See `microkernel::panel`.
///
/// # Safety
/// The processor has AVX-512, and the operands are as long as `microkernel::panel` checks.
pub(crate) unsafe fn f32_panel(
    rows: usize,
    steps: usize,
    left: Left<f32>,
    panel: &[f32],
    out: &mut [f32],
    out_stride: usize,
) {
    let (kernels, row) = match left.order {
        Order::RowMajor => (&F32_ROW_MAJOR, left.stride),
        Order::ColumnMajor => (&F32_COLUMN_MAJOR, 1),
    };
    for range in heights(rows, TILE) {
        // SAFETY: the rows are within the operands.
        unsafe {
            kernels[range.len() - 1](
                steps,
                left.values.as_ptr().add(range.start * row),
                left.stride,
                panel.as_ptr(),
                out.as_mut_ptr().add(range.start * out_stride),
                out_stride,
            );
        }
    }
}

/// See `microkernel::panel`.
///
/// # Safety
/// The processor has AVX512-BF16, and the operands are as long as `microkernel::panel` checks.
pub(crate) unsafe fn bf16_panel(
    rows: usize,
    steps: usize,
    left: Left<bf16>,
    panel: &[bf16],
    out: &mut [f32],
    out_stride: usize,
) {
    for range in heights(rows, TILE) {
        // SAFETY: the rows are within the operands.
        unsafe {
            BF16_ROW_MAJOR[range.len() - 1](
                steps / 2,
                left.values.as_ptr().add(range.start * left.stride).cast(),
                left.stride,
                panel.as_ptr().cast(),
                out.as_mut_ptr().add(range.start * out_stride),
                out_stride,
            );
        }
    }
}

/// # Safety
/// See [`Kernel`].
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn f32_tile<const ROWS: usize, const COLUMN_MAJOR: bool>(
    steps: usize,
    left: *const f32,
    stride: usize,
    panel: *const f32,
    out: *mut f32,
    out_stride: usize,
) {
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    for p in 0..steps {
        // SAFETY: the panel has 32 numbers a step.
        let (b0, b1) = unsafe {
            (
                _mm512_loadu_ps(panel.add(p * 32)),
                _mm512_loadu_ps(panel.add(p * 32 + 16)),
            )
        };
        for (r, sum) in sums.iter_mut().enumerate() {
            let at = if COLUMN_MAJOR {
                p * stride + r
            } else {
                r * stride + p
            };
            // SAFETY: the left operand has every row and step.
            let a = _mm512_set1_ps(unsafe { *left.add(at) });
            sum[0] = _mm512_fmadd_ps(a, b0, sum[0]);
            sum[1] = _mm512_fmadd_ps(a, b1, sum[1]);
        }
    }
    for (r, sum) in sums.iter().enumerate() {
        // SAFETY: the result has 32 numbers a row.
        unsafe {
            _mm512_storeu_ps(out.add(r * out_stride), sum[0]);
            _mm512_storeu_ps(out.add(r * out_stride + 16), sum[1]);
        }
    }
}

/// # Safety
/// See [`Kernel`].
#[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
unsafe fn bf16_tile<const ROWS: usize>(
    pairs: usize,
    left: *const u16,
    stride: usize,
    panel: *const u16,
    out: *mut f32,
    out_stride: usize,
) {
    let mut sums = [[_mm512_setzero_ps(); 2]; ROWS];
    for p in 0..pairs {
        // SAFETY: the panel has 32 pairs of 16-bit numbers a step; both types are 512 bits
        // without invalid values.
        let (b0, b1) = unsafe {
            (
                transmute::<__m512i, __m512bh>(_mm512_loadu_si512(panel.add(p * 64).cast())),
                transmute::<__m512i, __m512bh>(_mm512_loadu_si512(panel.add(p * 64 + 32).cast())),
            )
        };
        for (r, sum) in sums.iter_mut().enumerate() {
            // SAFETY: the left operand has every row and step; types as above.
            let a = unsafe {
                let pair = left.add(r * stride + 2 * p).cast::<i32>().read_unaligned();
                transmute::<__m512i, __m512bh>(_mm512_set1_epi32(pair))
            };
            sum[0] = _mm512_dpbf16_ps(sum[0], a, b0);
            sum[1] = _mm512_dpbf16_ps(sum[1], a, b1);
        }
    }
    for (r, sum) in sums.iter().enumerate() {
        // SAFETY: the result has 32 numbers a row.
        unsafe {
            _mm512_storeu_ps(out.add(r * out_stride), sum[0]);
            _mm512_storeu_ps(out.add(r * out_stride + 16), sum[1]);
        }
    }
}
