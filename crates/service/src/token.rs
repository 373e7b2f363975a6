//! The bearer token of a service.

use std::fmt;

/// A secret that requests must carry. Only its hash is kept, and hashes are compared in constant time.
#[derive(Clone)]
pub struct Token(blake3::Hash);

/// Fewest characters of a token.
const SHORTEST: usize = 8;
/// Most bytes of a token.
const LONGEST: usize = 4096;

/// A text that cannot be a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Too short to be a secret, or too long for a header.
    #[error("a token has {SHORTEST} to {LONGEST} characters, and this one has {found}")]
    Length {
        /// Its characters.
        found: usize,
    },
    /// It cannot stand in a header.
    #[error("a token consists of printable ASCII characters without spaces")]
    Characters,
}

impl Token {
    /// # Errors
    /// [`TokenError`] if no request could carry it, or anybody could guess it.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(TokenError::Characters);
        }
        match text.len() {
            SHORTEST..=LONGEST => Ok(Self(blake3::hash(text.as_bytes()))),
            found => Err(TokenError::Length { found }),
        }
    }

    /// Whether the value of an `Authorization` header carries it.
    pub fn is_carried_by(&self, authorization: &[u8]) -> bool {
        let Some((scheme, rest)) = authorization.split_at_checked(7) else {
            return false;
        };
        // The comparison of two hashes takes the same time wherever they differ.
        scheme.eq_ignore_ascii_case(b"bearer ") && blake3::hash(rest.trim_ascii()) == self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_carried_by_its_header_and_no_other() {
        let token = Token::new("correct-horse").expect("a token");
        for right in [
            "Bearer correct-horse",
            "bearer correct-horse",
            "BEARER  correct-horse ",
        ] {
            assert!(token.is_carried_by(right.as_bytes()), "{right}");
        }
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "Basic correct-horse",
            "Bearer correct-hors",
            "correct-horse",
        ] {
            assert!(!token.is_carried_by(wrong.as_bytes()), "{wrong}");
        }
        assert_eq!(
            Token::new("short").err(),
            Some(TokenError::Length { found: 5 })
        );
        assert_eq!(
            Token::new("two words here").err(),
            Some(TokenError::Characters)
        );
        assert!(!format!("{token:?}").contains("horse"));
    }
}
