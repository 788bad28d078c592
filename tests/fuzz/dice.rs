//! Choices out of bytes: the same bytes give the same choices, and where there are no more of them
//! every choice is the first one, which is the simplest. So a test that found something shrinks by
//! taking bytes away, and a fuzzer that knows nothing of formats finds its way to a new one.

/// Bytes that choose.
pub struct Dice<'b> {
    bytes: &'b [u8],
}

impl<'b> Dice<'b> {
    pub const fn new(bytes: &'b [u8]) -> Self {
        Self { bytes }
    }

    /// One of so many, counted from 0.
    pub fn of(&mut self, count: usize) -> usize {
        let mut number = usize::from(self.byte());
        if count > 256 {
            number = number << 8 | usize::from(self.byte());
        }
        number % count.max(1)
    }

    /// Is it so, once in so many times?
    pub fn once_in(&mut self, times: usize) -> bool {
        self.of(times) == times - 1
    }

    /// One of these.
    pub fn one<'l, T>(&mut self, list: &'l [T]) -> &'l T {
        &list[self.of(list.len())]
    }

    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        *first
    }

    /// What has not chosen anything yet.
    pub const fn rest(&self) -> &'b [u8] {
        self.bytes
    }
}
