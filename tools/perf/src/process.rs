//! What this process has used.

/// The most memory that was ever resident, in MiB; none where the system does not say.
pub fn peak_rss_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|l| l.starts_with("VmHWM:"))?;
    let kib: u64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024)
}

/// Starts the count of [`peak_rss_mib`] anew, where the system allows it.
pub fn forget_peak() {
    // Linux; elsewhere the peak of the preparation counts as well.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The middle one.
pub fn median(mut seconds: Vec<f64>) -> f64 {
    seconds.sort_by(f64::total_cmp);
    seconds.get(seconds.len() / 2).copied().unwrap_or(f64::NAN)
}
