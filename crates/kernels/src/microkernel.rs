//! The innermost loops: a few rows times one panel of 32 columns, sums in registers.
//!
//! On AVX-512 a tile of 12 x 32 sums fills 24 of the 32 vector registers; each step of the summed
//! axis loads two vectors of the panel and broadcasts one number a row, so that the multipliers,
//! not the loads, are the limit.

use half::bf16;

use crate::element::Element;
use crate::machine::Machine;
use crate::packed::Packed;
use crate::product::plain;

/// Columns of a panel.
pub(crate) const PANEL: usize = 32;

/// Most rows of a tile.
pub(crate) const TILE: usize = 12;

/// How a tile finds its left operand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Row `r`, step `p` at `r * stride + p`.
    Rows,
    /// The transpose: row `r`, step `p` at `p * stride + r`.
    Columns,
}

/// The left operand of a tile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Left<'a, E> {
    pub values: &'a [E],
    pub stride: usize,
    pub order: Order,
}

/// `out[r * out_stride + c] = sum over p of left(r, p) * panel[p][c]` for `rows` rows, the 32 columns
/// of a panel and `steps` steps; the panel is laid out as [`Packed`](crate::packed::Packed) says.
/// For `bf16`, `steps` counts numbers and is even, and the left operand is by rows.
///
/// # Panics
/// If an operand is too short, or there are more than [`TILE`] rows.
#[inline]
pub(crate) fn tile<E: Tiled>(
    machine: Machine,
    rows: usize,
    steps: usize,
    left: Left<E>,
    panel: &[E],
    out: &mut [f32],
    out_stride: usize,
) {
    if rows == 0 {
        return;
    }
    let needed = match left.order {
        Order::Rows => (rows - 1) * left.stride + steps,
        Order::Columns => steps.saturating_sub(1) * left.stride + rows,
    };
    assert!(rows <= TILE && steps.is_multiple_of(E::GROUP));
    assert!(left.values.len() >= needed && panel.len() >= steps * PANEL);
    assert!(out_stride >= PANEL && out.len() >= (rows - 1) * out_stride + PANEL);
    E::tile(machine, rows, steps, left, panel, out, out_stride);
}

/// An element that there are microkernels for.
pub(crate) trait Tiled: Element {
    /// [`tile`], with operands that are long enough.
    fn tile(
        machine: Machine,
        rows: usize,
        steps: usize,
        left: Left<Self>,
        panel: &[Self],
        out: &mut [f32],
        out_stride: usize,
    );

    /// Columns of the product with a matrix that is not packed in panels; see
    /// [`plain`](crate::product::plain).
    fn plain(
        rows: usize,
        left: &[Self],
        stride: usize,
        right: &Packed<Self>,
        columns: std::ops::Range<usize>,
        out: &mut [f32],
    );
}

impl Tiled for f32 {
    fn plain(
        rows: usize,
        left: &[Self],
        stride: usize,
        right: &Packed<Self>,
        columns: std::ops::Range<usize>,
        out: &mut [f32],
    ) {
        plain(rows, left, stride, right, columns, out);
    }

    #[inline]
    fn tile(
        machine: Machine,
        rows: usize,
        steps: usize,
        left: Left<Self>,
        panel: &[Self],
        out: &mut [f32],
        out_stride: usize,
    ) {
        #[cfg(target_arch = "x86_64")]
        if machine.has_avx512() {
            let kernel = match left.order {
                Order::Rows => avx512::F32_ROWS[rows - 1],
                Order::Columns => avx512::F32_COLUMNS[rows - 1],
            };
            // SAFETY: the processor has AVX-512, and `tile` has checked the operands' lengths.
            unsafe {
                kernel(
                    steps,
                    left.values.as_ptr(),
                    left.stride,
                    panel.as_ptr(),
                    out.as_mut_ptr(),
                    out_stride,
                );
            }
            return;
        }
        let _ = machine;
        portable(rows, steps, left, panel, out, out_stride);
    }
}

impl Tiled for bf16 {
    fn plain(
        _: usize,
        _: &[Self],
        _: usize,
        _: &Packed<Self>,
        _: std::ops::Range<usize>,
        _: &mut [f32],
    ) {
        unreachable!("a block in bf16 is only made where there is a microkernel for it");
    }

    #[inline]
    fn tile(
        machine: Machine,
        rows: usize,
        steps: usize,
        left: Left<Self>,
        panel: &[Self],
        out: &mut [f32],
        out_stride: usize,
    ) {
        assert!(left.order == Order::Rows && machine.has_bf16());
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the processor has AVX512-BF16, and `tile` has checked the operands' lengths.
        unsafe {
            avx512::BF16_ROWS[rows - 1](
                steps / 2,
                left.values.as_ptr().cast(),
                left.stride,
                panel.as_ptr().cast(),
                out.as_mut_ptr(),
                out_stride,
            );
        }
        #[cfg(not(target_arch = "x86_64"))]
        unreachable!(
            "no other processor is said to have bf16: {steps} {panel:?} {out:?} {out_stride}"
        );
    }
}

/// One row at a time: on AVX2 or NEON a row of sums fits into the registers.
#[multiversion::multiversion(targets("x86_64+avx2+fma"))]
fn portable(
    rows: usize,
    steps: usize,
    left: Left<f32>,
    panel: &[f32],
    out: &mut [f32],
    out_stride: usize,
) {
    for r in 0..rows {
        let mut sums = [0.0f32; PANEL];
        for (p, b) in panel.as_chunks::<PANEL>().0[..steps].iter().enumerate() {
            let a = match left.order {
                Order::Rows => left.values[r * left.stride + p],
                Order::Columns => left.values[p * left.stride + r],
            };
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum += a * b;
            }
        }
        out[r * out_stride..r * out_stride + PANEL].copy_from_slice(&sums);
    }
}

#[cfg(target_arch = "x86_64")]
mod avx512 {
    use std::arch::x86_64::*;
    use std::mem::transmute;

    use super::TILE;

    /// `(steps, left, stride of left, panel, out, stride of out)`; of `bf16`, steps are pairs.
    ///
    /// # Safety
    /// The processor has the instructions, and the operands are as long as [`super::tile`] says.
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

    pub static F32_ROWS: [Kernel<f32>; TILE] = by_rows!(f32_tile, false);
    pub static F32_COLUMNS: [Kernel<f32>; TILE] = by_rows!(f32_tile, true);
    pub static BF16_ROWS: [Kernel<u16>; TILE] = by_rows!(bf16_tile);

    /// # Safety
    /// See [`Kernel`].
    #[target_feature(enable = "avx512f,avx512bw")]
    unsafe fn f32_tile<const ROWS: usize, const COLUMNS: bool>(
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
                let at = if COLUMNS {
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
                    transmute::<__m512i, __m512bh>(_mm512_loadu_si512(
                        panel.add(p * 64 + 32).cast(),
                    )),
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
}
