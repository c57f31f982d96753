//! A lane of the state, of one message or of two.

/// 64 bits for each message.
pub(super) trait Lane: Copy {
    /// The same bits for all messages.
    fn all(bits: u64) -> Self;
    fn xor(self, other: Self) -> Self;
    /// `self & !other`.
    fn and_not(self, other: Self) -> Self;
    /// Rotated to the left.
    fn turn<const BY: u32>(self) -> Self;
}

impl Lane for u64 {
    #[inline(always)]
    fn all(bits: u64) -> Self {
        bits
    }

    #[inline(always)]
    fn xor(self, other: Self) -> Self {
        self ^ other
    }

    #[inline(always)]
    fn and_not(self, other: Self) -> Self {
        self & !other
    }

    #[inline(always)]
    fn turn<const BY: u32>(self) -> Self {
        self.rotate_left(BY)
    }
}

pub(super) use pair::Pair;

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod pair {
    use core::arch::wasm32::*;

    /// Two messages in a vector.
    #[derive(Clone, Copy)]
    pub(crate) struct Pair(v128);

    impl Pair {
        /// The first message as it is, and another second one.
        #[inline(always)]
        pub(crate) fn with_second(self, second: u64) -> Self {
            Self(u64x2_replace_lane::<1>(self.0, second))
        }

        pub(crate) fn both(self) -> [u64; 2] {
            [u64x2_extract_lane::<0>(self.0), u64x2_extract_lane::<1>(self.0)]
        }
    }

    impl super::Lane for Pair {
        #[inline(always)]
        fn all(bits: u64) -> Self {
            Self(u64x2_splat(bits))
        }

        #[inline(always)]
        fn xor(self, other: Self) -> Self {
            Self(v128_xor(self.0, other.0))
        }

        #[inline(always)]
        fn and_not(self, other: Self) -> Self {
            Self(v128_andnot(self.0, other.0))
        }

        #[inline(always)]
        fn turn<const BY: u32>(self) -> Self {
            let Self(v) = self;
            Self(match BY {
                0 => v,
                8 => i8x16_shuffle::<7, 0, 1, 2, 3, 4, 5, 6, 15, 8, 9, 10, 11, 12, 13, 14>(v, v),
                56 => i8x16_shuffle::<1, 2, 3, 4, 5, 6, 7, 0, 9, 10, 11, 12, 13, 14, 15, 8>(v, v),
                _ => v128_or(u64x2_shl(v, BY), u64x2_shr(v, 64 - BY)),
            })
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod pair {
    /// Two messages.
    #[derive(Clone, Copy)]
    pub(crate) struct Pair([u64; 2]);

    impl Pair {
        /// The first message as it is, and another second one.
        #[inline(always)]
        pub(crate) fn with_second(self, second: u64) -> Self {
            let [first, _] = self.0;
            Self([first, second])
        }

        pub(crate) fn both(self) -> [u64; 2] {
            self.0
        }

        #[inline(always)]
        fn with(self, Self([c, d]): Self, join: impl Fn(u64, u64) -> u64) -> Self {
            let Self([a, b]) = self;
            Self([join(a, c), join(b, d)])
        }
    }

    impl super::Lane for Pair {
        #[inline(always)]
        fn all(bits: u64) -> Self {
            Self([bits; 2])
        }

        #[inline(always)]
        fn xor(self, other: Self) -> Self {
            self.with(other, |a, b| a ^ b)
        }

        #[inline(always)]
        fn and_not(self, other: Self) -> Self {
            self.with(other, |a, b| a & !b)
        }

        #[inline(always)]
        fn turn<const BY: u32>(self) -> Self {
            Self(self.0.map(|lane| lane.rotate_left(BY)))
        }
    }
}
