//! A few rows times one panel of 32 columns, with the sums in registers: which innermost loop a
//! number format has on which processor.

use half::bf16;

#[cfg(target_arch = "x86_64")]
use crate::avx512;
use crate::cpu::CpuFeatures;
use crate::element::Element;
use crate::gemm_fallback::{self, Columns};
use crate::tile::{Left, Order, PANEL, TILE};

/// `out[r * out_stride + c] = sum over p of left(r, p) * panel[p][c]` for `rows` rows, the 32 columns
/// of a panel and `steps` steps; the panel is laid out `[steps / group][32][group]`.
/// For `bf16`, `steps` counts numbers and is even, and the left operand is row-major.
///
/// # Panics
/// If an operand is too short, or there are more than [`TILE`] rows.
#[inline]
pub(crate) fn tile<E: Microkernel>(
    cpu: CpuFeatures,
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
        Order::RowMajor => (rows - 1) * left.stride + steps,
        Order::ColumnMajor => steps.saturating_sub(1) * left.stride + rows,
    };
    assert!(rows <= TILE && steps.is_multiple_of(E::GROUP));
    assert!(left.values.len() >= needed && panel.len() >= steps * PANEL);
    assert!(out_stride >= PANEL && out.len() >= (rows - 1) * out_stride + PANEL);
    E::tile(cpu, rows, steps, left, panel, out, out_stride);
}

/// A number format that there are microkernels for.
pub(crate) trait Microkernel: Element {
    /// [`tile`], with operands that are long enough.
    fn tile(
        cpu: CpuFeatures,
        rows: usize,
        steps: usize,
        left: Left<Self>,
        panel: &[Self],
        out: &mut [f32],
        out_stride: usize,
    );

    /// The product with columns of a matrix that is not packed in panels; see
    /// [`gemm_fallback::multiply`].
    fn multiply_row_major(
        rows: usize,
        left: &[Self],
        stride: usize,
        right: &Columns<Self>,
        out: &mut [f32],
        out_stride: usize,
    );
}

impl Microkernel for f32 {
    #[inline]
    fn tile(
        cpu: CpuFeatures,
        rows: usize,
        steps: usize,
        left: Left<Self>,
        panel: &[Self],
        out: &mut [f32],
        out_stride: usize,
    ) {
        #[cfg(target_arch = "x86_64")]
        if cpu.has_avx512() {
            let kernel = match left.order {
                Order::RowMajor => avx512::F32_ROW_MAJOR[rows - 1],
                Order::ColumnMajor => avx512::F32_COLUMN_MAJOR[rows - 1],
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
        let _ = cpu;
        portable(rows, steps, left, panel, out, out_stride);
    }

    fn multiply_row_major(
        rows: usize,
        left: &[Self],
        stride: usize,
        right: &Columns<Self>,
        out: &mut [f32],
        out_stride: usize,
    ) {
        gemm_fallback::multiply(rows, left, stride, right, out, out_stride);
    }
}

impl Microkernel for bf16 {
    #[inline]
    fn tile(
        cpu: CpuFeatures,
        rows: usize,
        steps: usize,
        left: Left<Self>,
        panel: &[Self],
        out: &mut [f32],
        out_stride: usize,
    ) {
        assert!(left.order == Order::RowMajor && cpu.has_bf16());
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the processor has AVX512-BF16, and `tile` has checked the operands' lengths.
        unsafe {
            avx512::BF16_ROW_MAJOR[rows - 1](
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

    fn multiply_row_major(
        _: usize,
        _: &[Self],
        _: usize,
        _: &Columns<Self>,
        _: &mut [f32],
        _: usize,
    ) {
        unreachable!("a block in bf16 is only made where there is a microkernel for it");
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
                Order::RowMajor => left.values[r * left.stride + p],
                Order::ColumnMajor => left.values[p * left.stride + r],
            };
            for (sum, b) in sums.iter_mut().zip(b) {
                *sum += a * b;
            }
        }
        out[r * out_stride..r * out_stride + PANEL].copy_from_slice(&sums);
    }
}
