//! The checksums that a hub calls its files by.

use std::io::{self, Read};

use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::cache::Name;
use super::error::FetchError;

/// A checksum on its way, and what it is to be.
pub(super) struct Checksum {
    state: State,
    expected: Option<Name>,
}

enum State {
    /// Of a large file.
    Sha256(Sha256),
    /// Git's, of any other: SHA-1 of its length and its bytes; or, as some mirrors have it, of its bytes.
    Sha1 { git: Sha1, plain: Sha1 },
    /// The name says nothing of the content.
    None,
}

impl Checksum {
    /// The one that this name of a content is, if it is one; `size`: of the content.
    pub fn of(name: &Name, size: Option<u64>) -> Self {
        let is_hex = name.as_str().bytes().all(|b| b.is_ascii_hexdigit());
        let state = match (name.as_str().len(), size) {
            _ if !is_hex => State::None,
            (64, _) => State::Sha256(Sha256::new()),
            (40, Some(size)) => State::Sha1 {
                git: Sha1::new().chain_update(format!("blob {size}\0")),
                plain: Sha1::new(),
            },
            _ => State::None,
        };
        Self {
            state,
            expected: Some(name.clone()),
        }
    }

    /// One that is not known yet.
    pub fn sha256() -> Self {
        Self {
            state: State::Sha256(Sha256::new()),
            expected: None,
        }
    }

    pub fn is_sha256(name: &Name) -> bool {
        name.as_str().len() == 64 && name.as_str().bytes().all(|b| b.is_ascii_hexdigit())
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Sha256(state) => state.update(bytes),
            State::Sha1 { git, plain } => {
                git.update(bytes);
                plain.update(bytes);
            }
            State::None => {}
        }
    }

    /// Takes what a reader gives.
    pub fn read(&mut self, mut reader: impl Read) -> io::Result<()> {
        let mut buffer = vec![0; 1 << 18];
        loop {
            match reader.read(&mut buffer)? {
                0 => return Ok(()),
                n => self.update(&buffer[..n]),
            }
        }
    }

    /// Whether it is what it is to be.
    pub fn check(self) -> Result<(), FetchError> {
        let expected = match &self.expected {
            Some(expected) => expected.as_str().to_lowercase(),
            None => return Ok(()),
        };
        let found = match self.state {
            State::Sha256(state) => hex(&state.finalize()),
            State::Sha1 { git, plain } => {
                if hex(&plain.finalize()) == expected {
                    return Ok(());
                }
                hex(&git.finalize())
            }
            State::None => return Ok(()),
        };
        if found == expected {
            Ok(())
        } else {
            Err(FetchError::Checksum { expected, found })
        }
    }

    /// The content's own name, of a checksum that was not known.
    pub fn name(self) -> Name {
        let text = match self.state {
            State::Sha256(state) => hex(&state.finalize()),
            State::Sha1 { git, .. } => hex(&git.finalize()),
            State::None => String::new(),
        };
        Name::new(&text).unwrap_or_else(|| unreachable!("hexadecimal digits"))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_checksums_are_the_hubs() {
        // `printf hello | sha256sum`, `... | git hash-object --stdin`, `... | sha1sum`.
        let sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
        let git = "b6fc4c620b67d95f953a5c1c1230aaab5db5a1b0";
        let sha1 = "aaf4c61ddcc5e8a2dabede0f3b482cd9aea9434d";
        for name in [sha256, git, sha1] {
            let sum = |bytes: &[u8]| {
                let mut sum = Checksum::of(&Name::new(name).unwrap(), Some(5));
                sum.update(bytes);
                sum.check()
            };
            assert!(sum(b"hello").is_ok());
            assert!(matches!(sum(b"hullo"), Err(FetchError::Checksum { .. })));
        }
        let mut unknown = Checksum::sha256();
        unknown.update(b"hello");
        assert_eq!(unknown.name().as_str(), sha256);
        // A name that is none says nothing.
        assert!(
            Checksum::of(&Name::new("abc").unwrap(), None)
                .check()
                .is_ok()
        );
    }
}
