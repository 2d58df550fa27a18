//! What a wrapper returns where its twins iterate in different ways.

/// An iterator of one of two twins.
pub(crate) enum Twin<O, B> {
    Optimised(O),
    Baseline(B),
}

impl<T, O: Iterator<Item = T>, B: Iterator<Item = T>> Iterator for Twin<O, B> {
    type Item = T;

    #[inline]
    fn next(&mut self) -> Option<T> {
        match self {
            Self::Optimised(iterator) => iterator.next(),
            Self::Baseline(iterator) => iterator.next(),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Optimised(iterator) => iterator.size_hint(),
            Self::Baseline(iterator) => iterator.size_hint(),
        }
    }
}
