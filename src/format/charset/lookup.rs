//! A number of sixteen bits for each number of sixteen bits: from a pair to a character and back.

/// Zero where nothing is. All of it is there, so that looking up never asks how long it is.
pub(super) struct Lookup(Box<[u16; 0x1_0000]>);

impl Lookup {
    pub fn new() -> Self {
        let zeros: Result<Box<[u16; 0x1_0000]>, _> = vec![0; 0x1_0000].try_into();
        Self(zeros.unwrap_or_else(|_| unreachable!("as many zeros as there are places")))
    }

    pub fn get(&self, at: u16) -> u16 {
        self.0[usize::from(at)]
    }

    /// Zero for characters above U+FFFF.
    pub fn of(&self, character: char) -> u16 {
        u16::try_from(u32::from(character)).map_or(0, |at| self.get(at))
    }

    pub fn set(&mut self, at: u16, value: u16) {
        self.0[usize::from(at)] = value;
    }
}
