//! Memory that this process has used.

/// Peak resident memory in MiB; `None` where the system does not say.
pub fn peak_rss_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}

/// Resets the peak of [`peak_rss_mib`], where the system allows it.
pub fn reset_peak_rss() {
    // Linux; elsewhere the peak of the preparation counts as well.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
