//! Which vector instructions the kernels use: the best the processor has, unless a test forces fewer.
#![allow(unsafe_code)] // Prefetching is an intrinsic.

use std::any::TypeId;
use std::sync::atomic::{AtomicU8, Ordering};

use pulp::{Scalar128b, Simd, WithSimd};

/// A set of vector instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// The target's baseline, compiled by LLVM from plain arrays: 4 lanes of f32 on x86-64.
    Portable,
    /// AVX2 and FMA: 8 lanes. On AArch64 it is NEON and in WebAssembly SIMD128, as implemented by pulp.
    Native,
    /// AVX-512: 16 lanes.
    Avx512,
}

/// Lanes of the widest level.
pub(crate) const MAX_LANES: usize = 16;

impl Level {
    /// The levels that this processor supports, the best one last.
    pub fn available() -> Vec<Self> {
        let mut levels = vec![Self::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            levels.extend(pulp::x86::V3::is_available().then_some(Self::Native));
            levels.extend(pulp::x86::V4::is_available().then_some(Self::Avx512));
        }
        #[cfg(any(target_arch = "aarch64", all(target_arch = "wasm32", target_feature = "simd128")))]
        levels.push(Self::Native);
        levels
    }

    /// f32 lanes of a vector.
    pub(crate) fn lanes(self) -> usize {
        struct Lanes;
        impl WithSimd for Lanes {
            type Output = usize;

            #[inline(always)]
            fn with_simd<S: Simd>(self, _: S) -> usize {
                S::F32_LANES
            }
        }
        self.dispatch(Lanes)
    }

    /// The level for contiguous runs of `len` values. Short runs get AVX2: most of AVX-512's lanes would be idle, and
    /// its longer loads cross cache lines more often.
    pub(crate) fn for_runs(len: usize) -> Self {
        match Self::current() {
            Self::Avx512 if len <= 8 => Self::Native,
            level => level,
        }
    }

    /// The level in use.
    pub fn current() -> Self {
        match LEVEL.load(Ordering::Relaxed) {
            0 => {
                let best = Self::available().last().copied().unwrap_or(Self::Portable);
                // Another thread may have forced a level in the meantime.
                let first = LEVEL.compare_exchange(0, best as u8 + 1, Ordering::Relaxed, Ordering::Relaxed);
                if first.is_ok() { best } else { Self::current() }
            }
            1 => Self::Portable,
            2 => Self::Native,
            _ => Self::Avx512,
        }
    }

    /// Makes all kernels of this process use the level from now on.
    ///
    /// # Panics
    /// If the processor does not support it.
    pub fn force(self) {
        assert!(Self::available().contains(&self), "this processor has no {self:?}");
        LEVEL.store(self as u8 + 1, Ordering::Relaxed);
    }

    /// Runs a kernel at this level, which the processor must support; see [`dispatch`].
    #[inline]
    pub(crate) fn dispatch<Kernel: WithSimd>(self, kernel: Kernel) -> Kernel::Output {
        match self {
            Self::Portable => Simd::vectorize(Scalar128b, kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Native => Simd::vectorize(pulp::x86::V3::try_new().expect("forced or detected before"), kernel),
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => Simd::vectorize(pulp::x86::V4::try_new().expect("forced or detected before"), kernel),
            #[cfg(not(target_arch = "x86_64"))]
            _ => pulp::Arch::new().dispatch(kernel),
        }
    }
}

/// 0 before the first use, then the discriminant of the [`Level`] plus 1.
static LEVEL: AtomicU8 = AtomicU8::new(0);

/// `a * b + c`: a fused multiply-add where the processor has one, rounded twice elsewhere. Without the instruction, a
/// fused operation would be a function call per value.
#[inline(always)]
pub fn mul_add<S: Simd>(simd: S, a: S::f32s, b: S::f32s, c: S::f32s) -> S::f32s {
    if TypeId::of::<S>() == TypeId::of::<Scalar128b>() {
        return simd.add_f32s(simd.mul_f32s(a, b), c);
    }
    simd.mul_add_e_f32s(a, b, c)
}

/// Loads a whole vector from the start of `memory`.
#[inline(always)]
pub(crate) fn load<S: Simd>(_: S, memory: &[f32]) -> S::f32s {
    S::as_simd_f32s(&memory[..S::F32_LANES]).0[0]
}

/// Stores a whole vector at the start of `memory`.
#[inline(always)]
pub(crate) fn store<S: Simd>(_: S, memory: &mut [f32], vector: S::f32s) {
    S::as_mut_simd_f32s(&mut memory[..S::F32_LANES]).0[0] = vector;
}

/// Prefetches for reading, or for writing if `WRITE`; any address is allowed.
#[inline(always)]
pub(crate) fn prefetch<const WRITE: bool>(address: *const f32) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: every x86-64 processor has the instruction, and it has no architectural effect.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_ET0, _MM_HINT_T0, _mm_prefetch};
        if WRITE {
            _mm_prefetch::<_MM_HINT_ET0>(address.cast());
        } else {
            _mm_prefetch::<_MM_HINT_T0>(address.cast());
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = address;
}

/// Runs a kernel at the current level. Everything it calls must be `#[inline(always)]`, down to the last intrinsic.
#[inline]
pub fn dispatch<Kernel: WithSimd>(kernel: Kernel) -> Kernel::Output {
    Level::current().dispatch(kernel)
}

/// The panel width for so many outputs, in whole vectors: as few panels as possible, and no wider than they need to be.
pub(crate) fn panel_width(outputs: usize) -> usize {
    struct Widths;
    impl WithSimd for Widths {
        type Output = (usize, usize);

        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> (usize, usize) {
            (S::F32_LANES, if S::REGISTER_COUNT >= 32 { 4 } else { 2 })
        }
    }
    let (lanes, most) = dispatch(Widths);
    let vectors = outputs.div_ceil(lanes);
    vectors.div_ceil(vectors.div_ceil(most)) * lanes
}
