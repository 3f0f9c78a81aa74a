//! The progress bar: on a terminal only, on standard error.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::sums::Sums;

/// What a person sees meanwhile.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// A bar over the bytes of a file of `size`, or a spinner. Where standard error is no terminal, nothing is drawn.
    pub(super) fn of(size: Option<u64>) -> Self {
        let bar = ProgressBar::with_draw_target(size, ProgressDrawTarget::stderr_with_hz(5));
        let template = match size {
            Some(_) => "{bar:30} {bytes}/{total_bytes} {msg}",
            None => "{spinner} {bytes} {msg}",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        Self { bar }
    }

    /// Bytes of the input that are durable.
    pub(super) fn read(&self, bytes: u64) {
        self.bar.inc(bytes);
    }

    /// Shows the sums.
    pub(super) fn show(&self, sums: &Sums) {
        self.bar
            .set_message(format!("{} records, {} delivered", sums.received, sums.delivered));
        self.bar.tick();
    }

    /// Leaves the terminal as it was.
    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
