//! Huffman codes and the bits they are read from.

/// Bits that are looked up at once; longer codes, which are rare, are searched.
const LOOKUP_BITS: u32 = 9;

/// A Huffman table, ready for decoding.
pub(super) struct Huffman {
    /// For the next bits: length of the code they begin with (0: longer than the lookup), symbol.
    lookup: Box<[(u8, u8); 1 << LOOKUP_BITS]>,
    /// For each length: the first code beyond those of that length, aligned to 16 bits.
    end: [u32; 17],
    /// For each length: index of its first symbol less its first code.
    offset: [i32; 17],
    symbols: Vec<u8>,
}

impl Huffman {
    /// The canonical code with `counts[n]` codes of `n + 1` bits; `None` where that is impossible.
    pub(super) fn new(counts: &[u8; 16], symbols: &[u8]) -> Option<Self> {
        let mut lookup = Box::new([(0, 0); 1 << LOOKUP_BITS]);
        let (mut end, mut offset) = ([0; 17], [0; 17]);
        let mut code = 0_u32;
        let mut first_symbol = 0_usize;
        for (length, count) in (1_u32..).zip(counts) {
            let count = usize::from(*count);
            offset[length as usize] = first_symbol as i32 - code as i32;
            for symbol in symbols.get(first_symbol..first_symbol + count)? {
                if code >= 1 << length {
                    return None;
                }
                if length <= LOOKUP_BITS {
                    let free = LOOKUP_BITS - length;
                    let start = (code << free) as usize;
                    lookup
                        .get_mut(start..start + (1 << free))?
                        .fill((length as u8, *symbol));
                }
                code += 1;
            }
            first_symbol += count;
            end[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Some(Self {
            lookup,
            end,
            offset,
            symbols: symbols.to_vec(),
        })
    }
}

/// Reads bits of entropy-coded data. At a marker, and at the end, zeros follow.
pub(super) struct Bits<'a> {
    data: &'a [u8],
    position: usize,
    /// The next bits, from the top.
    buffer: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            position: 0,
            buffer: 0,
            count: 0,
        }
    }

    /// Bytes read so far, whole segments of stuffed data up to the next marker.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    fn refill(&mut self) {
        while self.count <= 56 {
            let byte = match self.data.get(self.position) {
                Some(0xff) => {
                    let after = self.data.get(self.position + 1..).unwrap_or_default();
                    let fill = after.iter().take_while(|b| **b == 0xff).count();
                    if after.get(fill) == Some(&0) {
                        self.position += fill + 2;
                        0xff
                    } else {
                        // A marker: stay before it.
                        0
                    }
                }
                Some(byte) => {
                    self.position += 1;
                    *byte
                }
                None => 0,
            };
            self.buffer |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    #[inline]
    fn drop_bits(&mut self, count: u32) {
        self.buffer <<= count;
        self.count -= count;
    }

    /// The next `count` bits, at most 16.
    #[inline]
    pub(super) fn take(&mut self, count: u32) -> i32 {
        if count == 0 {
            return 0;
        }
        if self.count < 16 {
            self.refill();
        }
        let value = (self.buffer >> (64 - count)) as i32;
        self.drop_bits(count);
        value
    }

    /// A number in JPEG's notation: `count` bits, at most 16, of which the upper half is positive.
    #[inline]
    pub(super) fn signed(&mut self, count: u32) -> i32 {
        let value = self.take(count);
        if count > 0 && value < 1 << (count - 1) {
            value - (1 << count) + 1
        } else {
            value
        }
    }

    /// The next symbol; 0 where the bits are no code, as libjpeg.
    #[inline]
    pub(super) fn symbol(&mut self, table: &Huffman) -> u8 {
        if self.count < 16 {
            self.refill();
        }
        let (length, symbol) = table.lookup[(self.buffer >> (64 - LOOKUP_BITS)) as usize];
        if length != 0 {
            self.drop_bits(length.into());
            return symbol;
        }
        let next = (self.buffer >> 48) as u32;
        for length in LOOKUP_BITS + 1..=16 {
            if next < table.end[length as usize] {
                self.drop_bits(length);
                let code = (next >> (16 - length)) as i32;
                let index = code + table.offset[length as usize];
                let symbol = usize::try_from(index)
                    .ok()
                    .and_then(|i| table.symbols.get(i));
                return symbol.copied().unwrap_or(0);
            }
        }
        self.drop_bits(16);
        0
    }

    /// Passes over what is left before the next marker, and over the marker if it is a restart.
    pub(super) fn restart(&mut self) {
        (self.buffer, self.count) = (0, 0);
        while let Some(rest) = self.data.get(self.position..) {
            let Some(start) = rest.iter().position(|b| *b == 0xff) else {
                self.position = self.data.len();
                return;
            };
            let Some(fill) = rest.iter().skip(start).position(|b| *b != 0xff) else {
                self.position = self.data.len();
                return;
            };
            match rest.get(start + fill) {
                // A stuffed zero: still data.
                Some(0) => self.position += start + fill + 1,
                Some(0xd0..=0xd7) => {
                    self.position += start + fill + 1;
                    return;
                }
                _ => {
                    self.position += start;
                    return;
                }
            }
        }
    }
}
