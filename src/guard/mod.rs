//! Keys and what is done with them: sealing, blinding, signing, chaining, digesting.
//!
//! Everything here is a function of keys and bytes: no files, no database, no clock, no async. Who
//! holds the keys, where a blob rests and what a digest is compared with is other rooms' business,
//! so that all of the cryptography of the house can be read in one sitting. It is `ring`'s; only
//! the encodings around it are ours, and each of them is length-prefixed, because two different
//! things must never have the same bytes.
//!
//! The only cryptographic randomness of the process is drawn here ([`random`]), from the system and
//! never from `clock::Dice`: a seeded nonce would repeat with the seed, and a repeated nonce opens
//! AES-GCM.

pub mod blind;
pub mod chain;
pub mod credential;
pub mod digest;
pub mod key;
pub mod mac;
pub mod random;
pub mod seal;
pub mod sign;
pub mod stated;
pub mod trust;
