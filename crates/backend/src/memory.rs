//! Memory of tensors that come and go.

/// Makes the C library keep freed memory for the next tensors, up to 2 GiB, instead of giving it back to the system.
///
/// A training step allocates and frees the same megabytes again and again; every time that they come from the system anew,
/// it has to clear them page by page, which takes up to a third of a step. Does something only where memory is glibc's.
pub fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        #[expect(unsafe_code, reason = "sets two numbers of the allocator, which it checks itself")]
        unsafe {
            // No mappings of their own for large blocks, which would go back at once.
            libc::mallopt(libc::M_MMAP_MAX, 0);
            libc::mallopt(libc::M_TRIM_THRESHOLD, libc::c_int::MAX);
        }
    }
}
