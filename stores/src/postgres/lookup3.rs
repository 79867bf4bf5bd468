//! The hash that PostgreSQL builds all others from, made here: Bob Jenkins' lookup3 in the form of
//! `src/common/hashfn.c` (`hash_bytes_extended`), as a server on a little-endian machine computes it.

const START: u32 = 0x9e37_79b9_u32.wrapping_add(3_923_095);

/// `hash_any_extended`.
pub fn hash_bytes(bytes: &[u8], seed: u64) -> u64 {
    let mut state = State::new(bytes.len() as u32, seed);
    let mut chunks = bytes.chunks_exact(12);
    for chunk in &mut chunks {
        state.add([word(chunk, 0), word(chunk, 4), word(chunk, 8)]);
        state.mix();
    }
    let mut rest = [0; 12];
    rest[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    // The lowest byte of the last word is kept for the length.
    state.add([word(&rest, 0), word(&rest, 4), word(&rest, 8) << 8]);
    state.end()
}

/// `hash_uint32_extended`.
pub fn hash_u32(number: u32, seed: u64) -> u64 {
    let mut state = State::new(4, seed);
    state.add([number, 0, 0]);
    state.end()
}

fn word(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |word| u32::from_le_bytes(*word))
}

struct State([u32; 3]);

impl State {
    fn new(length: u32, seed: u64) -> State {
        let mut state = State([START.wrapping_add(length); 3]);
        if seed != 0 {
            state.add([(seed >> 32) as u32, seed as u32, 0]);
            state.mix();
        }
        state
    }

    fn add(&mut self, words: [u32; 3]) {
        self.0.iter_mut().zip(words).for_each(|(state, word)| *state = state.wrapping_add(word));
    }

    fn mix(&mut self) {
        let [mut a, mut b, mut c] = self.0;
        let step = |x: &mut u32, y: &mut u32, z: &mut u32, bits| {
            *x = x.wrapping_sub(*z) ^ z.rotate_left(bits);
            *z = z.wrapping_add(*y);
        };
        step(&mut a, &mut b, &mut c, 4);
        step(&mut b, &mut c, &mut a, 6);
        step(&mut c, &mut a, &mut b, 8);
        step(&mut a, &mut b, &mut c, 16);
        step(&mut b, &mut c, &mut a, 19);
        step(&mut c, &mut a, &mut b, 4);
        self.0 = [a, b, c];
    }

    fn end(self) -> u64 {
        let [mut a, mut b, mut c] = self.0;
        let step = |x: &mut u32, y: u32, bits| *x = (*x ^ y).wrapping_sub(y.rotate_left(bits));
        step(&mut c, b, 14);
        step(&mut a, c, 11);
        step(&mut b, a, 25);
        step(&mut c, b, 16);
        step(&mut a, c, 4);
        step(&mut b, a, 14);
        step(&mut c, b, 24);
        u64::from(b) << 32 | u64::from(c)
    }
}
