//! Compiling a function once for each instruction set.

/// A function whose first argument says which instructions it may use, compiled for each of them: the
/// compiler vectorises the same arithmetic with the widest vectors there are. What it calls has to be
/// `#[inline(always)]` to be compiled with it.
macro_rules! vectorised {
    (
        $(#[$meta:meta])*
        $visibility:vis fn $name:ident $(<$element:ident: $bound:path>)? (
            $set:ident: InstructionSet $(, $argument:ident: $type:ty)* $(,)?
        ) $(-> $result:ty)? $body:block
    ) => {
        $(#[$meta])*
        #[allow(clippy::too_many_arguments, reason = "the instruction set is one more")]
        $visibility fn $name $(<$element: $bound>)? (
            $set: $crate::instruction_set::InstructionSet $(, $argument: $type)*
        ) $(-> $result)? {
            #[inline(always)]
            fn body $(<$element: $bound>)? ($($argument: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2 $(<$element: $bound>)? ($($argument: $type),*) $(-> $result)? {
                body($($argument),*)
            }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
            fn avx512 $(<$element: $bound>)? ($($argument: $type),*) $(-> $result)? {
                body($($argument),*)
            }

            #[cfg(target_arch = "x86_64")]
            {
                use $crate::instruction_set::InstructionSet;
                match $set {
                    InstructionSet::Portable => body($($argument),*),
                    // SAFETY: the processor has the instructions of a set that is chosen for it.
                    InstructionSet::Avx2 => unsafe { avx2($($argument),*) },
                    // SAFETY: as above.
                    InstructionSet::Avx512 | InstructionSet::Avx512Bf16 => unsafe {
                        avx512($($argument),*)
                    },
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            {
                let _ = $set;
                body($($argument),*)
            }
        }
    };
}

pub(crate) use vectorised;
