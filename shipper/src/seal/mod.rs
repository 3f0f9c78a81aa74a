//! What makes tampering show: a hash tree in each block, a chain over the blocks' headers.
//!
//! # In scope
//! [`leaf`], [`merkle_root`] and [`chain`]: pure functions from bytes to hashes. [`verify()`]: the walk over a spool that
//! compares all of them.
//!
//! # Out of scope
//! Where the hashes stand (`docs/FORMAT.md`). Signatures: whoever can write the spool can also compute a whole new chain, so
//! by itself the chain shows damage and clumsy edits; it binds an adversary only together with copies of its head that
//! are out of reach.
//!
//! # Definitions
//! `H` is BLAKE3 with 32 bytes of output, `‖` puts bytes one after another.
//! * The leaf of a record is `H(salt ‖ content)`, where `content` is the hash of the record's own JSON and `salt` 32 random
//!   bytes. Erasing the salt makes the leaf say nothing any more about a record that could be guessed; re-coding or
//!   encrypting the payload changes no leaf.
//! * The root of a block is the Merkle Tree Hash of RFC 6962 section 2.1 over its leaves, with `H` in the place of
//!   SHA-256: `MTH() = H()`, `MTH(d) = H(0x00 ‖ d)`, and for more than one leaf
//!   `MTH(D) = H(0x01 ‖ MTH(first k) ‖ MTH(rest))`, where k is the largest power of two below their number. The two
//!   prefixes keep a leaf from passing for a node.
//! * The chain value of a block is `H(its header without what says how it is stored)`; each header has the one before it in
//!   `prev`, and `root` in it covers the records. So the last value stands for everything before it, in its order.
//!
//! # Invariants
//! The hashes need constant memory (one for each level of the tree) however many leaves there are. No clock; no I/O but
//! the verifier's reading; any thread.

mod verify;

#[cfg(test)]
mod tests;

pub use verify::{Break, Flaw, MAX_BREAKS, Verification, verify};

use crate::spool::format::BlockHeader;
use crate::spool::identity::ContentHash;

/// What BLAKE3 gives.
pub type Hash = [u8; 32];

/// Begins the input of a leaf's hash.
const LEAF: u8 = 0;
/// Begins the input of an inner node's hash.
const NODE: u8 = 1;

/// The leaf of one record: BLAKE3(salt ‖ content).
pub fn leaf(salt: &[u8; 32], content: &ContentHash) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(salt).update(content);
    *hasher.finalize().as_bytes()
}

/// The chain value of a block: BLAKE3 of what [`BlockHeader::chained`] takes of its header, which the next header has as
/// `prev`.
pub fn chain(header: &[u8]) -> Hash {
    *blake3::hash(&BlockHeader::chained(header)).as_bytes()
}

/// The root of the tree over `leaves`: RFC 6962 section 2.1 with BLAKE3. Without leaves, BLAKE3 of nothing.
pub fn merkle_root(leaves: impl ExactSizeIterator<Item = Hash>) -> Hash {
    // The roots of the complete subtrees so far, largest first: one for each bit that is set in the number of leaves.
    let mut subtrees: Vec<Hash> = Vec::with_capacity(usize::BITS as usize);
    for (before, leaf) in leaves.enumerate() {
        let mut root = leaf_hash(&leaf);
        // Like a carry: the new leaf completes one subtree for each low bit that was set.
        for _ in 0..before.trailing_ones() {
            if let Some(left) = subtrees.pop() {
                root = node_hash(&left, &root);
            }
        }
        subtrees.push(root);
    }
    // What is left is split at the largest power of two first, so the smallest subtrees are joined first.
    let joined = subtrees
        .into_iter()
        .rev()
        .reduce(|right, left| node_hash(&left, &right));
    joined.unwrap_or_else(|| *blake3::hash(&[]).as_bytes())
}

fn leaf_hash(leaf: &Hash) -> Hash {
    let mut input = [LEAF; 33];
    input[1..].copy_from_slice(leaf);
    *blake3::hash(&input).as_bytes()
}

fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut input = [NODE; 65];
    input[1..33].copy_from_slice(left);
    input[33..].copy_from_slice(right);
    *blake3::hash(&input).as_bytes()
}
