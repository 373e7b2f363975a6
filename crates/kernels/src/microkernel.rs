//! Any number of rows times a panel of 16 or 32 columns: which innermost loop a number format has on
//! which processor.

use half::bf16;

#[cfg(target_arch = "x86_64")]
use crate::avx2;
#[cfg(target_arch = "x86_64")]
use crate::avx512;
use crate::buffer::Buffer;
use crate::element::Element;
use crate::instruction_set::InstructionSet;
use crate::packed::Panels;
use crate::portable;
use crate::tile::{Left, Order, panel_width};

/// `out[r * out_stride + c] = sum over p of left(r, p) * panel[p][c]` for `rows` rows, the columns of
/// a panel ([`panel_width`]) and `steps` steps; the panel is laid out `[steps / group][columns][group]`.
/// The sums are added up in the order of the steps.
/// For `bf16`, `steps` counts numbers and is even, and the left operand is row-major.
///
/// # Panics
/// If an operand is too short.
#[inline]
pub(crate) fn panel<E: Microkernel>(
    set: InstructionSet,
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
    let width = panel_width(set);
    assert!(steps.is_multiple_of(E::GROUP));
    assert!(left.values.len() >= needed && panel.len() >= steps * width);
    assert!(out_stride >= width && out.len() >= (rows - 1) * out_stride + width);
    E::panel(set, rows, steps, left, panel, out, out_stride);
}

/// A number format that there are microkernels for.
pub(crate) trait Microkernel: Element {
    /// [`panel`], with operands that are long enough.
    fn panel(
        set: InstructionSet,
        rows: usize,
        steps: usize,
        left: Left<Self>,
        panel: &[Self],
        out: &mut [f32],
        out_stride: usize,
    );

    /// The rows in the order in which [`arranged_panels`](Self::arranged_panels) reads them; none where
    /// the processor's microkernel reads them as they are.
    fn arrange(
        set: InstructionSet,
        rows: usize,
        steps: usize,
        left: &[Self],
        stride: usize,
    ) -> Option<Buffer<Self>> {
        let _ = (set, rows, steps, left, stride);
        None
    }

    /// Whether rows are arranged, and [`arranged_panels`](Self::arranged_panels) takes the panels of a
    /// transpose.
    fn arranges(set: InstructionSet) -> bool {
        let _ = set;
        false
    }

    /// Arranged rows times the first `count` of `panels`; as [`panel`] otherwise.
    #[allow(clippy::too_many_arguments, reason = "of one product")]
    fn arranged_panels(
        set: InstructionSet,
        rows: usize,
        steps: usize,
        left: &[Self],
        count: usize,
        panels: Panels<Self>,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let _ = (rows, steps, left, count, panels, out, out_stride);
        unreachable!("rows are not arranged for {set}");
    }
}

impl Microkernel for f32 {
    #[inline]
    fn panel(
        set: InstructionSet,
        rows: usize,
        steps: usize,
        left: Left<Self>,
        panel: &[Self],
        out: &mut [f32],
        out_stride: usize,
    ) {
        match set {
            // SAFETY: the processor has AVX-512, and `panel` has checked the operands' lengths.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 | InstructionSet::Avx512Bf16 => unsafe {
                avx512::f32_panel(rows, steps, left, panel, out, out_stride);
            },
            // SAFETY: the processor has AVX2 and FMA, and `panel` has checked the lengths.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe {
                avx2::panel(rows, steps, left, panel, out, out_stride);
            },
            _ => portable::panel(rows, steps, left, panel, out, out_stride),
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn arrange(
        set: InstructionSet,
        rows: usize,
        steps: usize,
        left: &[Self],
        stride: usize,
    ) -> Option<Buffer<Self>> {
        // SAFETY: a set that is chosen for a processor is one that it has.
        Self::arranges(set).then(|| unsafe { avx2::arrange(rows, steps, left, stride) })
    }

    #[cfg(target_arch = "x86_64")]
    fn arranges(set: InstructionSet) -> bool {
        set == InstructionSet::Avx2
    }

    #[cfg(target_arch = "x86_64")]
    fn arranged_panels(
        set: InstructionSet,
        rows: usize,
        steps: usize,
        left: &[Self],
        count: usize,
        panels: Panels<Self>,
        out: &mut [f32],
        out_stride: usize,
    ) {
        let width = count * panel_width(set);
        assert!(Self::arranges(set) && rows > 0 && left.len() >= rows * steps);
        match panels {
            Panels::Packed(panels) => assert!(panels.len() >= steps * width),
            Panels::Transposed { of, first_column } => {
                assert!(steps == of.columns && first_column + width < of.steps + panel_width(set));
            }
        }
        assert!(out_stride >= width && out.len() >= (rows - 1) * out_stride + width);
        // SAFETY: the processor has AVX2 and FMA, and the lengths are checked.
        unsafe { avx2::arranged_panels(rows, steps, left, count, panels, out, out_stride) };
    }
}

impl Microkernel for bf16 {
    #[inline]
    fn panel(
        set: InstructionSet,
        rows: usize,
        steps: usize,
        left: Left<Self>,
        panel: &[Self],
        out: &mut [f32],
        out_stride: usize,
    ) {
        assert!(left.order == Order::RowMajor && set.has_bf16());
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the processor has AVX512-BF16, and `panel` has checked the operands' lengths.
        unsafe {
            avx512::bf16_panel(rows, steps, left, panel, out, out_stride);
        }
        #[cfg(not(target_arch = "x86_64"))]
        unreachable!(
            "no other processor is said to have bf16: {rows} {steps} {panel:?} {out:?} {out_stride}"
        );
    }
}
