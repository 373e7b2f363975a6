//! One scan of a JPEG: entropy-coded data to coefficients (progressive) or samples (sequential).

use super::error::{damaged, unsupported};
use super::frame::Frame;
use super::headers::{Headers, ZIGZAG};
use super::huffman::{Bits, Huffman};
use crate::ImageError;

/// Most blocks of a unit of several components.
const MOST_BLOCKS: usize = 10;

/// A scan header, checked against its frame.
pub(super) struct Scan {
    members: Vec<Member>,
    /// First and last coefficient, in the order of the file.
    spectrum: (usize, usize),
    /// Bit that earlier scans have reached (0: none), and the bit that this one reaches.
    high: u32,
    low: u32,
}

/// A component's part in a scan.
struct Member {
    component: usize,
    dc_table: usize,
    ac_table: usize,
}

/// What is carried from block to block.
#[derive(Default)]
struct State {
    dc: [i32; 4],
    /// Number of following blocks that have no more coefficients in this scan.
    end_of_band_run: u32,
}

impl Scan {
    pub(super) fn read(segment: &[u8], frame: &Frame) -> Result<Self, ImageError> {
        let short = || damaged("a short scan header");
        let (count, rest) = segment.split_first().ok_or_else(short)?;
        let count = usize::from(*count);
        let (selectors, rest) = rest.split_at_checked(2 * count).ok_or_else(short)?;
        let [start, end, approximation, ..] = *rest else {
            return Err(short());
        };
        let mut members: Vec<Member> = Vec::with_capacity(count);
        for [id, tables] in selectors.as_chunks::<2>().0 {
            let component = frame
                .components
                .iter()
                .position(|c| c.id == *id)
                .ok_or_else(|| damaged("a scan of an unknown component"))?;
            if members.iter().any(|m| m.component == component) {
                return Err(damaged("a scan with the same component twice"));
            }
            let (dc_table, ac_table) = (usize::from(tables >> 4), usize::from(tables & 15));
            members.push(Member {
                component,
                dc_table,
                ac_table,
            });
        }
        if members.is_empty() {
            return Err(damaged("a scan of no component"));
        }
        // What libjpeg has room for.
        if members.len() > 1 {
            let sampling = |m: &Member| frame.components.get(m.component).map_or(0, |c| c.h * c.v);
            if members.iter().map(sampling).sum::<usize>() > MOST_BLOCKS {
                return Err(damaged("a scan with more than ten blocks per unit"));
            }
        }
        let mut scan = Self {
            members,
            spectrum: (0, 63),
            high: 0,
            low: 0,
        };
        if frame.progressive {
            scan.spectrum = (start.into(), end.into());
            (scan.high, scan.low) = (u32::from(approximation >> 4), u32::from(approximation & 15));
            let dc = start == 0 && end == 0;
            let ac = start > 0 && start <= end && end < 64 && scan.members.len() == 1;
            if !(dc || ac) || scan.low > 13 {
                return Err(damaged("impossible progressive parameters"));
            }
        }
        Ok(scan)
    }

    /// Decodes the scan from the data after its header; returns how many bytes it read.
    pub(super) fn decode(
        &self,
        data: &[u8],
        frame: &mut Frame,
        headers: &Headers,
    ) -> Result<usize, ImageError> {
        for member in &self.members {
            if let Some(component) = frame.components.get_mut(member.component) {
                component.begin(headers)?;
            }
        }
        let tables = self.tables(frame.progressive, headers)?;
        // A scan of a single component holds only its own blocks, one per unit.
        let alone = match self.members.as_slice() {
            [member] => frame
                .components
                .get(member.component)
                .map(|c| c.own_blocks()),
            _ => None,
        };
        let (columns, rows) = alone.unwrap_or(frame.units);
        let mut bits = Bits::new(data);
        let mut state = State::default();
        let mut until_restart = headers.restart_interval;
        let mut restarts = 0_u8;
        // Of a sequential image: each member's blocks of one row of units.
        let mut blocks: Vec<Vec<[i16; 64]>> = self.members.iter().map(|_| Vec::new()).collect();
        for row in 0..rows {
            for (member, blocks) in self.members.iter().zip(&mut blocks) {
                if let (Some(component), false) =
                    (frame.components.get(member.component), frame.progressive)
                {
                    let v = if alone.is_some() { 1 } else { component.v };
                    blocks.clear();
                    blocks.resize(v * component.blocks.0, [0; 64]);
                }
            }
            for column in 0..columns {
                if headers.restart_interval > 0 {
                    if until_restart == 0 {
                        bits.restart(restarts % 8);
                        restarts = restarts.wrapping_add(1);
                        state = State::default();
                        until_restart = headers.restart_interval;
                    }
                    until_restart -= 1;
                }
                // What is missing stays zero: grey, where it is not progressive.
                if bits.exhausted() {
                    continue;
                }
                let members = self.members.iter().zip(&tables).zip(&mut blocks);
                for ((member, tables), blocks) in members {
                    let Some(component) = frame.components.get_mut(member.component) else {
                        continue;
                    };
                    let (h, v) = if alone.is_some() {
                        (1, 1)
                    } else {
                        (component.h, component.v)
                    };
                    for y in 0..v {
                        let first = y * component.blocks.0 + column * h;
                        if frame.progressive {
                            let first = row * v * component.blocks.0 + first;
                            for block in component.coefficients.iter_mut().skip(first).take(h) {
                                self.refine(&mut bits, tables, &mut state, member, block);
                            }
                        } else {
                            for block in blocks.iter_mut().skip(first).take(h) {
                                sequential(&mut bits, tables, dc_of(&mut state, member), block);
                            }
                        }
                    }
                }
            }
            if !frame.progressive {
                for (member, blocks) in self.members.iter().zip(&blocks) {
                    if let Some(component) = frame.components.get_mut(member.component) {
                        component.put(row * blocks.len(), blocks);
                    }
                }
            }
        }
        Ok(bits.position())
    }

    /// Blocks that the scan passes.
    pub(super) fn blocks(&self, frame: &Frame) -> u64 {
        let components = || {
            let members = self.members.iter();
            members.filter_map(|member| frame.components.get(member.component))
        };
        let (units, each) = match self.members.as_slice() {
            [_] => (components().map(|c| c.own_blocks()).next(), 1),
            _ => (Some(frame.units), components().map(|c| c.h * c.v).sum()),
        };
        units.map_or(0, |(columns, rows)| {
            columns as u64 * rows as u64 * each as u64
        })
    }

    /// Whether a table that a sequential scan needs is not set.
    pub(super) fn lacks_a_table(&self, headers: &Headers) -> bool {
        let lacks = |tables: &[Option<Huffman>; 4], index: usize| {
            tables.get(index).is_some_and(Option::is_none)
        };
        let mut members = self.members.iter();
        members.any(|m| lacks(&headers.dc, m.dc_table) || lacks(&headers.ac, m.ac_table))
    }

    /// Each member's tables, DC and AC, as far as the scan needs them.
    fn tables<'a>(
        &self,
        progressive: bool,
        headers: &'a Headers,
    ) -> Result<Vec<[Option<&'a Huffman>; 2]>, ImageError> {
        let dc = self.spectrum.0 == 0 && self.high == 0;
        let ac = self.spectrum.1 > 0;
        if progressive && self.members.len() > 4 {
            return Err(unsupported("more than four components in a scan".into()));
        }
        self.members
            .iter()
            .map(|member| {
                let find = |tables: &'a [Option<Huffman>; 4], index: usize, needed: bool| {
                    let table = tables.get(index).and_then(Option::as_ref);
                    if needed && table.is_none() {
                        return Err(damaged("a missing Huffman table"));
                    }
                    Ok(table)
                };
                Ok([
                    find(&headers.dc, member.dc_table, dc)?,
                    find(&headers.ac, member.ac_table, ac)?,
                ])
            })
            .collect()
    }

    /// One block of a progressive scan (`jdphuff.c`).
    fn refine(
        &self,
        bits: &mut Bits<'_>,
        tables: &[Option<&Huffman>; 2],
        state: &mut State,
        member: &Member,
        block: &mut [i16; 64],
    ) {
        match (*tables, self.spectrum.0, self.high) {
            ([Some(table), _], 0, 0) => {
                let dc = dc_of(state, member);
                let count = u32::from(bits.symbol(table)).min(16);
                *dc = dc.wrapping_add(bits.signed(count));
                block[0] = (*dc << self.low) as i16;
            }
            (_, 0, _) => block[0] |= (bits.take(1) << self.low) as i16,
            ([_, Some(table)], _, 0) => self.first_ac(bits, table, state, block),
            ([_, Some(table)], _, _) => self.later_ac(bits, table, state, block),
            _ => {}
        }
    }

    /// The upper bits of AC coefficients.
    fn first_ac(
        &self,
        bits: &mut Bits<'_>,
        table: &Huffman,
        state: &mut State,
        block: &mut [i16; 64],
    ) {
        if state.end_of_band_run > 0 {
            state.end_of_band_run -= 1;
            return;
        }
        let mut k = self.spectrum.0;
        while k <= self.spectrum.1 {
            let symbol = bits.symbol(table);
            let (run, count) = (usize::from(symbol >> 4), u32::from(symbol & 15));
            if count > 0 {
                k += run;
                block[place(k)] = (bits.signed(count) << self.low) as i16;
                k += 1;
            } else if run == 15 {
                k += 16;
            } else {
                state.end_of_band_run = (1 << run) + bits.take(run as u32) as u32 - 1;
                return;
            }
        }
    }

    /// One more bit of AC coefficients, and those that begin with it.
    fn later_ac(
        &self,
        bits: &mut Bits<'_>,
        table: &Huffman,
        state: &mut State,
        block: &mut [i16; 64],
    ) {
        let bit = 1_i16 << self.low;
        let refine = |bits: &mut Bits<'_>, value: &mut i16| {
            if bits.take(1) == 1 && *value & bit == 0 {
                *value = value.wrapping_add(if *value >= 0 { bit } else { -bit });
            }
        };
        let mut k = self.spectrum.0;
        if state.end_of_band_run == 0 {
            while k <= self.spectrum.1 {
                let symbol = bits.symbol(table);
                let (mut run, new) = (symbol >> 4, symbol & 15 != 0);
                if !new && run < 15 {
                    let run = u32::from(run);
                    state.end_of_band_run = (1 << run) + bits.take(run) as u32;
                    break;
                }
                let value = match (new, new && bits.take(1) == 1) {
                    (false, _) => 0,
                    (true, true) => bit,
                    (true, false) => -bit,
                };
                // Coefficients that are there already are refined and not counted.
                while k <= self.spectrum.1 {
                    let known = &mut block[place(k)];
                    if *known != 0 {
                        refine(bits, known);
                    } else if run == 0 {
                        break;
                    } else {
                        run -= 1;
                    }
                    k += 1;
                }
                if new {
                    block[place(k)] = value;
                }
                k += 1;
            }
        }
        if state.end_of_band_run > 0 {
            while k <= self.spectrum.1 {
                let known = &mut block[place(k)];
                if *known != 0 {
                    refine(bits, known);
                }
                k += 1;
            }
            state.end_of_band_run -= 1;
        }
    }
}

fn dc_of<'a>(state: &'a mut State, member: &Member) -> &'a mut i32 {
    // A frame has at most four components.
    &mut state.dc[member.component & 3]
}

/// Place in the block of coefficient number `k` of the file.
#[inline]
fn place(k: usize) -> usize {
    ZIGZAG.get(k).map_or(63, |place| usize::from(*place))
}

/// One block of a sequential scan (`jdhuff.c`).
fn sequential(
    bits: &mut Bits<'_>,
    tables: &[Option<&Huffman>; 2],
    dc: &mut i32,
    block: &mut [i16; 64],
) {
    let [Some(dc_table), Some(ac_table)] = tables else {
        return;
    };
    let count = u32::from(bits.symbol(dc_table)).min(16);
    *dc = dc.wrapping_add(bits.signed(count));
    block[0] = *dc as i16;
    let mut k = 1;
    while k < 64 {
        let symbol = bits.symbol(ac_table);
        let (run, count) = (usize::from(symbol >> 4), u32::from(symbol & 15));
        if count > 0 {
            k += run;
            block[place(k)] = bits.signed(count) as i16;
            k += 1;
        } else if run == 15 {
            k += 16;
        } else {
            break;
        }
    }
}
