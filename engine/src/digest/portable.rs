//! The portable digest: one hash of a range's rows in key order.
//!
//! The canonical forms of the rows are laid one behind the other and hashed by SHA-256, by so many rows at a time, since
//! no server can lay gigabytes behind each other; a long row stands there by its own hash. The hashes of these chunks,
//! behind the run's salt, are hashed once more, and 128 bits of that are the digest. A server answers with the hashes of
//! chunks, so its statements know no salt.

use sha2::{Digest as _, Sha256};

use super::Digest;

/// Rows of a chunk; only the last one of a range holds fewer.
pub const CHUNK_ROWS: u64 = 4096;
/// Longest canonical form of a row that is hashed as it is.
pub const ROW_BYTES_MAX: usize = 8192;
/// Stands before the hash of a longer row, where other rows have the number of their columns.
pub const LONG_ROW: [u8; 4] = [0xff; 4];

/// A portable digest in the making.
pub struct PortableDigest {
    rows: u64,
    chunk: Sha256,
    chunks: Sha256,
}

impl PortableDigest {
    pub fn new(salt: u64) -> PortableDigest {
        PortableDigest { rows: 0, chunk: Sha256::new(), chunks: Sha256::new_with_prefix(salt.to_be_bytes()) }
    }

    /// Takes the canonical form of the next row.
    pub fn add_row(&mut self, row: &[u8]) {
        if row.len() > ROW_BYTES_MAX {
            self.chunk.update(LONG_ROW);
            self.chunk.update(Sha256::digest(row));
        } else {
            self.chunk.update(row);
        }
        self.rows += 1;
        if self.rows.is_multiple_of(CHUNK_ROWS) {
            self.end_chunk();
        }
    }

    /// Takes the next chunk, hashed elsewhere. Chunks and rows of one range do not mix. Where rows come and go while
    /// chunks are cut, one may hold more or fewer than it should; then the digest is another one, as it has to be.
    pub fn add_chunk(&mut self, rows: u64, hash: [u8; 32]) {
        self.rows += rows;
        self.chunks.update(hash);
    }

    fn end_chunk(&mut self) {
        let hash = self.chunk.finalize_reset();
        self.chunks.update(hash);
    }

    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// The digest of rows that were added one by one.
    pub fn of_rows(mut self) -> Digest {
        if !self.rows.is_multiple_of(CHUNK_ROWS) {
            self.end_chunk();
        }
        self.of_chunks()
    }

    /// The digest of chunks that were hashed elsewhere. A range without rows has the same digest in every kind.
    pub fn of_chunks(self) -> Digest {
        if self.rows == 0 {
            return Digest::default();
        }
        let hash: [u8; 32] = self.chunks.finalize().into();
        let (first, _) = hash.split_first_chunk::<16>().expect("a SHA-256 has 32 bytes");
        Digest { rows: self.rows, sum: i128::from_be_bytes(*first) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_rows(rows: &[Vec<u8>], salt: u64) -> Digest {
        let mut digest = PortableDigest::new(salt);
        rows.iter().for_each(|row| digest.add_row(row));
        digest.of_rows()
    }

    #[test]
    fn rows_one_by_one_and_chunks_from_elsewhere_are_the_same() {
        let rows: Vec<Vec<u8>> = (0..CHUNK_ROWS + 3).map(|i| i.to_be_bytes().to_vec()).collect();
        let mut chunked = PortableDigest::new(7);
        for chunk in rows.chunks(CHUNK_ROWS as usize) {
            chunked.add_chunk(chunk.len() as u64, Sha256::digest(chunk.concat()).into());
        }
        assert_eq!(of_rows(&rows, 7), chunked.of_chunks());
        assert_eq!(of_rows(&rows, 7).rows, CHUNK_ROWS + 3);
        assert_ne!(of_rows(&rows, 7).sum, of_rows(&rows, 8).sum);
        assert_eq!(of_rows(&[], 7), Digest::default());
    }

    #[test]
    fn order_and_number_of_rows_count() {
        let (a, b) = (vec![1u8; 9], vec![2u8; 9]);
        let digest = |rows: &[&Vec<u8>]| of_rows(&rows.iter().map(|row| (*row).clone()).collect::<Vec<_>>(), 1).sum;
        assert_ne!(digest(&[&a, &b]), digest(&[&b, &a]));
        assert_ne!(digest(&[&a, &a]), digest(&[&a]));
        assert_ne!(digest(&[&a, &a]), digest(&[&b, &b]));
    }

    #[test]
    fn a_long_row_stands_by_its_hash() {
        let long = vec![vec![0u8; ROW_BYTES_MAX + 1]];
        let short = vec![[&LONG_ROW[..], &Sha256::digest(&long[0])[..]].concat()];
        assert_eq!(of_rows(&long, 1), of_rows(&short, 1));
        let mut other = long.clone();
        other[0][ROW_BYTES_MAX] = 1;
        assert_ne!(of_rows(&long, 1), of_rows(&other, 1));
    }
}
