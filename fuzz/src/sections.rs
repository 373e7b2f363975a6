//! Several files in one input: `@@ NAME` on a line of its own, then the bytes of the file.

const BEGIN: &[u8] = b"@@ ";

/// The files of an input, with their names. What is before the first is left out.
pub fn split(data: &[u8]) -> Vec<(&str, &[u8])> {
    let mut starts: Vec<usize> = Vec::new();
    if data.starts_with(BEGIN) {
        starts.push(0);
    }
    let inner = data.windows(BEGIN.len() + 1).enumerate();
    let inner = inner.filter(|(_, w)| w.first() == Some(&b'\n') && w[1..] == *BEGIN);
    starts.extend(inner.map(|(at, _)| at + 1));
    let ends = starts.iter().skip(1).map(|next| next - 1);
    let ends = ends.chain([data.len()]);
    let files = starts.iter().zip(ends).filter_map(|(start, end)| {
        let section = data.get(start + BEGIN.len()..end)?;
        let line = section.iter().position(|b| *b == b'\n')?;
        let (name, content) = section.split_at(line);
        Some((std::str::from_utf8(name).ok()?, &content[1..]))
    });
    files.collect()
}

/// An input of files.
pub fn join(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut data = Vec::new();
    for (place, (name, content)) in files.iter().enumerate() {
        if place > 0 {
            data.push(b'\n');
        }
        data.extend(BEGIN);
        data.extend(name.as_bytes());
        data.push(b'\n');
        data.extend(content);
    }
    data
}
