//! A file on the network: its name, its addresses, and what is known of its bytes.

/// A file that can be downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemoteFile<'a> {
    /// The file's name in its folder, without any path.
    pub name: &'a str,
    /// Complete addresses of the same bytes, in the order in which they are tried.
    pub urls: &'a [&'a str],
    /// What is known of the bytes.
    pub sum: CheckSum<'a>,
    /// The number of bytes, where known; only for the progress bar.
    pub size: Option<u64>,
}

/// What is known of a file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckSum<'a> {
    /// The MD5 sum, 32 lower-case hexadecimal digits.
    Md5(&'a str),
    /// The first lower-case hexadecimal digits of the SHA-256 sum, at least eight.
    Sha256Prefix(&'a str),
}

impl CheckSum<'_> {
    /// Whether this is the sum, in hexadecimal, of the right bytes.
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
