//! Huffman codes, and the bits that they are read from.

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
    /// The next bits, from the top. Below `count` there may be more of them.
    buffer: u64,
    count: u32,
    /// How many of the last bits are not data but zeros appended to them.
    padding: u32,
    exhausted: bool,
}

impl<'a> Bits<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self {
            data,
            position: 0,
            buffer: 0,
            count: 0,
            padding: 0,
            exhausted: false,
        }
    }

    /// Bytes read so far, whole segments of stuffed data up to the next marker.
    pub(super) fn position(&self) -> usize {
        self.position
    }

    /// Whether more bits were read than there are before the next marker.
    #[inline(always)]
    pub(super) fn exhausted(&mut self) -> bool {
        if self.count < self.padding {
            self.exhausted = true;
        }
        self.exhausted
    }

    /// Provides at least 32 bits: a code and the number after it.
    #[inline(always)]
    fn refill(&mut self) {
        if self.count >= 32 {
            return;
        }
        let next = self.data.get(self.position..).and_then(<[u8]>::first_chunk);
        if let (Some(next), 0) = (next, self.padding) {
            let next = u64::from_be_bytes(*next);
            // No byte is 0xff where no byte of the complement is 0.
            let zeros = (!next).wrapping_sub(0x0101_0101_0101_0101) & next & 0x8080_8080_8080_8080;
            if zeros == 0 {
                self.buffer |= next >> self.count;
                let bytes = (64 - self.count) / 8;
                self.position += bytes as usize;
                self.count += 8 * bytes;
                return;
            }
        }
        self.refill_bytewise();
    }

    #[cold]
    fn refill_bytewise(&mut self) {
        // Bits that were stored there in advance are stored again below.
        self.buffer &= !(u64::MAX >> self.count);
        let _ = self.exhausted();
        self.padding = self.padding.min(self.count);
        while self.count <= 56 {
            let byte = match self.data.get(self.position) {
                Some(0xff) => {
                    let after = self.data.get(self.position + 1..).unwrap_or_default();
                    let fill = after.iter().take_while(|b| **b == 0xff).count();
                    if after.get(fill) == Some(&0) {
                        self.position += fill + 2;
                        Some(0xff)
                    } else {
                        // A marker: stay before it.
                        None
                    }
                }
                Some(byte) => {
                    self.position += 1;
                    Some(*byte)
                }
                None => None,
            };
            if byte.is_none() {
                self.padding += 8;
            }
            self.buffer |= u64::from(byte.unwrap_or(0)) << (56 - self.count);
            self.count += 8;
        }
    }

    #[inline]
    fn drop_bits(&mut self, count: u32) {
        self.buffer <<= count;
        self.count -= count;
    }

    /// The next `count` bits, at most 16, which [`refill`](Self::refill) must have provided.
    #[inline(always)]
    fn provided(&mut self, count: u32) -> i32 {
        // Two shifts, because a single shift by 64 bits is not allowed.
        let value = (self.buffer >> 1 >> (63 - count)) as i32;
        self.drop_bits(count);
        value
    }

    /// The next `count` bits, at most 16.
    #[inline(always)]
    pub(super) fn take(&mut self, count: u32) -> i32 {
        self.refill();
        self.provided(count)
    }

    /// A number in JPEG's notation: `count` bits, at most 16, of which the upper half is positive.
    /// To be read right after a [`symbol`](Self::symbol), which provides its bits.
    #[inline(always)]
    pub(super) fn signed(&mut self, count: u32) -> i32 {
        let value = self.provided(count);
        // All ones where the first bit is 0.
        let negative = (value >> (count.max(1) - 1)) - 1;
        value + (negative & ((-1_i32 << count) + 1))
    }

    /// The next symbol; 0 where the bits are not a code, as in libjpeg.
    #[inline(always)]
    pub(super) fn symbol(&mut self, table: &Huffman) -> u8 {
        self.refill();
        let (length, symbol) = table.lookup[(self.buffer >> (64 - LOOKUP_BITS)) as usize];
        if length != 0 {
            self.drop_bits(length.into());
            return symbol;
        }
        self.long_symbol(table)
    }

    #[cold]
    fn long_symbol(&mut self, table: &Huffman) -> u8 {
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

    /// Advances past the restart marker number `expected`, 0 to 7; where another marker is found,
    /// does what libjpeg does (`jpeg_resync_to_restart`).
    pub(super) fn restart(&mut self, expected: u8) {
        (self.buffer, self.count, self.padding) = (0, 0, 0);
        loop {
            let rest = self.data.get(self.position..).unwrap_or_default();
            let mut bytes = rest.iter().enumerate();
            let marker = bytes.position(|(_, b)| *b == 0xff).and_then(|start| {
                let (fill, code) = bytes.find(|(_, b)| **b != 0xff)?;
                Some((start, fill + 1, *code))
            });
            let Some((start, end, code)) = marker else {
                self.position = self.data.len();
                return;
            };
            let ahead = code.wrapping_sub(0xd0 + expected) & 7;
            match code {
                // One or two markers are lost: zeros until this one's turn.
                0xd0..=0xd7 if matches!(ahead, 1 | 2) => {
                    self.position += start;
                    return;
                }
                // A late marker, a stuffed zero, or not a marker at all.
                0xd0..=0xd7 if matches!(ahead, 6 | 7) => self.position += end,
                0x00..=0xbf => self.position += end,
                0xd0..=0xd7 => {
                    self.position += end;
                    self.exhausted = false;
                    return;
                }
                // The end of the scan.
                _ => {
                    self.position += start;
                    return;
                }
            }
        }
    }
}
