//! One bit for each nonce of a batch: a vector of 128 bits.
use core::ops::{BitAnd, BitXor, Not};

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod repr {
    use core::arch::wasm32 as simd;
    pub(super) type Repr = simd::v128;
    pub(super) const fn new(bits: u128) -> Repr {
        simd::u64x2(bits as u64, (bits >> 64) as u64)
    }
    pub(super) fn bits(value: Repr) -> u128 {
        u128::from(simd::u64x2_extract_lane::<0>(value)) | u128::from(simd::u64x2_extract_lane::<1>(value)) << 64
    }
    pub(super) fn xor(one: Repr, other: Repr) -> Repr {
        simd::v128_xor(one, other)
    }
    pub(super) fn and(one: Repr, other: Repr) -> Repr {
        simd::v128_and(one, other)
    }
    pub(super) fn and_not(one: Repr, other: Repr) -> Repr {
        simd::v128_andnot(one, other)
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod repr {
    pub(super) type Repr = [u64; 2];
    pub(super) const fn new(bits: u128) -> Repr {
        [bits as u64, (bits >> 64) as u64]
    }
    pub(super) fn bits([low, high]: Repr) -> u128 {
        u128::from(low) | u128::from(high) << 64
    }
    pub(super) fn xor([a, b]: Repr, [c, d]: Repr) -> Repr {
        [a ^ c, b ^ d]
    }
    pub(super) fn and([a, b]: Repr, [c, d]: Repr) -> Repr {
        [a & c, b & d]
    }
    pub(super) fn and_not([a, b]: Repr, [c, d]: Repr) -> Repr {
        [a & !c, b & !d]
    }
}

/// A vector.
#[derive(Clone, Copy)]
pub(super) struct Wide(repr::Repr);

impl Wide {
    pub(super) const ZERO: Self = Self::new(0);
    pub(super) const ONES: Self = Self::new(u128::MAX);

    /// Bit `i` belongs to nonce `i`.
    pub(super) const fn new(bits: u128) -> Self {
        Self(repr::new(bits))
    }

    /// The same bit for all.
    #[inline(always)]
    pub(super) fn splat(bit: bool) -> Self {
        if bit { Self::ONES } else { Self::ZERO }
    }

    /// Bit `i` belongs to nonce `i`.
    pub(super) fn bits(self) -> u128 {
        repr::bits(self.0)
    }

    /// `self & !other`: one instruction in Wasm.
    #[inline(always)]
    pub(super) fn and_not(self, other: Self) -> Self {
        Self(repr::and_not(self.0, other.0))
    }
}

impl BitXor for Wide {
    type Output = Self;
    #[inline(always)]
    fn bitxor(self, other: Self) -> Self {
        Self(repr::xor(self.0, other.0))
    }
}

impl BitAnd for Wide {
    type Output = Self;
    #[inline(always)]
    fn bitand(self, other: Self) -> Self {
        Self(repr::and(self.0, other.0))
    }
}

impl Not for Wide {
    type Output = Self;
    #[inline(always)]
    fn not(self) -> Self {
        self ^ Self::ONES
    }
}
