//! Signals that ask a process to end: the first lets it save, the second ends it at once.

use crate::failure::Failure;
use crate::output::Printer;

/// Longest time that a stopping process takes to save; a scheduler that has sent the signal ends it by
/// force soon after (Kubernetes after 30 s).
#[cfg(unix)]
const GRACE: std::time::Duration = std::time::Duration::from_secs(20);

/// From now on SIGTERM and SIGINT let the work end at its next step, with its state saved.
///
/// # Errors
/// [`Failure`] if the system refuses.
#[cfg(unix)]
pub fn stop_when_told(printer: &Printer) -> Result<(), Failure> {
    use promptsrc::stop;
    use signal_hook::consts::{SIGINT, SIGTERM};
    use signal_hook::low_level::{emulate_default_handler, signal_name};

    // What interrupts a program that has called the command is its affair.
    if printer.is_hosted() {
        return Ok(());
    }
    let mut signals = signal_hook::iterator::Signals::new([SIGTERM, SIGINT])
        .map_err(|error| Failure::failed(format!("cannot watch for signals: {error}")))?;
    let printer = printer.clone();
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if stop::is_requested() {
                // What was saved is whole, whenever the process ends.
                let _ = emulate_default_handler(signal);
                return;
            }
            stop::request();
            printer.note(&format!(
                "{}: stopping when what is under way is done; a second one ends at once",
                signal_name(signal).unwrap_or("signal")
            ));
            let printer = printer.clone();
            std::thread::spawn(move || {
                std::thread::sleep(GRACE);
                printer.error(
                    "stopped in a step that takes too long to wait for; what was saved before is \
                     whole, and a resume goes on there",
                );
                std::process::exit(crate::failure::STOPPED.into());
            });
        }
    });
    Ok(())
}

/// Other systems end the process; what was saved is whole.
///
/// # Errors
/// None.
#[cfg(not(unix))]
pub fn stop_when_told(_: &Printer) -> Result<(), Failure> {
    Ok(())
}
