//! Why one record of a batch could not be done, and the limits that records are held to.

use std::fmt;

/// The kinds of failure that callers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// There is no such file.
    Missing,
    /// The system refused to read.
    Read,
    /// The place ends beyond the end of the file.
    Truncated,
    /// The bytes are not those that were written.
    Checksum,
    /// The bytes do not decode.
    Corrupt,
    /// An image of a kind that is not decoded here.
    Unsupported,
    /// More pixels or bytes than allowed.
    Limit,
    /// Decodes to another shape or depth than asked.
    Mismatch,
    /// The file is not as it was when it was looked at before.
    Changed,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Missing => "missing",
            Kind::Read => "read",
            Kind::Truncated => "truncated",
            Kind::Checksum => "checksum",
            Kind::Corrupt => "corrupt",
            Kind::Unsupported => "unsupported",
            Kind::Limit => "limit",
            Kind::Mismatch => "mismatch",
            Kind::Changed => "changed",
        }
    }
}

/// What went wrong with one record, in words that go on after "image 'cat.png': ".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    pub kind: Kind,
    pub detail: String,
}

impl Error {
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Error { kind, detail: detail.into() }
    }

    pub fn corrupt(detail: impl Into<String>) -> Self {
        Error::new(Kind::Corrupt, detail)
    }

    pub fn unsupported(detail: impl Into<String>) -> Self {
        Error::new(Kind::Unsupported, detail)
    }

    pub fn mismatch(detail: impl Into<String>) -> Self {
        Error::new(Kind::Mismatch, detail)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.kind.name(), self.detail)
    }
}

impl std::error::Error for Error {}

impl From<std::io::Error> for Error {
    fn from(error: std::io::Error) -> Self {
        let kind = match error.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => Kind::Missing,
            _ => Kind::Read,
        };
        Error::new(kind, error.to_string())
    }
}

pub type Result<T> = std::result::Result<T, Error>;

/// A record's number in the call, and what went wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub record: usize,
    pub error: Error,
}

/// What a single record may ask for; checked before anything is allocated.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub pixels: u64,
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { pixels: 178_956_970, bytes: 1 << 31 }
    }
}

impl Limits {
    pub fn check_pixels(&self, width: u64, height: u64) -> Result<()> {
        match width.checked_mul(height) {
            Some(pixels) if pixels <= self.pixels => Ok(()),
            _ => Err(Error::new(Kind::Limit, format!("{width} × {height} pixels, above the limit of {} pixels", self.pixels))),
        }
    }

    pub fn check_bytes(&self, bytes: u64) -> Result<()> {
        if bytes <= self.bytes {
            return Ok(());
        }
        Err(Error::new(Kind::Limit, format!("{bytes} bytes, above the limit of {} bytes", self.bytes)))
    }
}
