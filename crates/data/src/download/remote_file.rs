//! Files on the network: their names, addresses and checksums.

/// A file that can be downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteFile<'a> {
    /// The name under which the file is stored, without a path.
    pub name: &'a str,
    /// Complete addresses of the same bytes, in the order in which they are tried.
    pub urls: &'a [&'a str],
    /// The checksum of the bytes.
    pub sum: CheckSum<'a>,
    /// The size in bytes, if known; used only for the progress bar.
    pub size: Option<u64>,
}

/// An expected checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckSum<'a> {
    /// The MD5 sum, 32 lower-case hexadecimal digits.
    Md5(&'a str),
    /// The first digits of the SHA-256 sum, at least eight, in lower-case hexadecimal.
    Sha256Prefix(&'a str),
}

impl CheckSum<'_> {
    /// Whether a computed sum, in hexadecimal, is the expected one.
    #[cfg(feature = "download")]
    pub(super) fn accepts(&self, sum: &str) -> bool {
        match self {
            Self::Md5(expected) => sum == *expected,
            Self::Sha256Prefix(prefix) => sum.starts_with(prefix),
        }
    }
}

impl std::fmt::Display for CheckSum<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Md5(sum) => write!(f, "MD5 {sum}"),
            Self::Sha256Prefix(prefix) => write!(f, "SHA-256 {prefix}.."),
        }
    }
}
