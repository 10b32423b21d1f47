//! Ctrl-C, and SIGTERM, while an apply runs.
//!
//! Until an apply starts, both end the process as the system does by default: nothing is lost then. A run that reports
//! to other programs ends its reports before that ([`Early`]). Once [`Interrupt::listen`] was called, the first one asks the
//! apply to start nothing new, and the second ends the process.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::backend::Stop;
use crate::ui::Ui;

/// As long as a terminal may take to show two lines.
const PATIENCE: Duration = Duration::from_millis(200);

/// Listens for interrupts until the process ends.
#[derive(Debug)]
pub struct Interrupt {
    stop: Stop,
}

impl Interrupt {
    /// Starts to listen. `at_once` is called for the second interrupt and is expected to end the process.
    ///
    /// A thread with a runtime of its own listens, so that the second interrupt works even while a call to a device
    /// hangs on the main one.
    ///
    /// # Errors
    /// When the signals cannot be caught.
    pub fn listen(ui: &Ui, at_once: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let stop = Stop::default();
        let (ui, raised) = (ui.clone(), stop.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (interrupt, terminate) = {
            let _guard = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        thread::Builder::new().name("interrupt".to_owned()).spawn(move || {
            runtime.block_on(wait(ui, raised, interrupt, terminate, at_once));
        })?;
        Ok(Self { stop })
    }

    /// Returns the wish to stop, which the first interrupt raises.
    pub fn stop(&self) -> Stop {
        self.stop.clone()
    }
}

/// Listens for interrupts that come before an apply does so itself.
#[derive(Debug)]
pub struct Early;

impl Early {
    /// Starts to listen. `at_once` is called for the first interrupt and is expected to end the process; it is not called
    /// once the interrupts were handed over to somebody else.
    ///
    /// A thread listens, because the main one may compare ten thousand peers, or wait for an answer.
    ///
    /// # Errors
    /// When the signals cannot be caught.
    pub fn listen(
        is_handed_over: &Arc<AtomicBool>,
        at_once: impl FnOnce() + Send + 'static,
    ) -> io::Result<()> {
        let is_handed_over = Arc::clone(is_handed_over);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
        let (mut interrupt, mut terminate) = {
            let _guard = runtime.enter();
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
        };
        let wait = move || {
            runtime.block_on(either(&mut interrupt, &mut terminate));
            if !is_handed_over.load(Ordering::SeqCst) {
                at_once();
            }
        };
        thread::Builder::new().name("early".to_owned()).spawn(wait)?;
        Ok(())
    }
}

/// Returns what waits for the first interrupt from now on, for a command that has nothing to bring to an end.
///
/// # Errors
/// When the signals cannot be caught.
pub fn first() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move { either(&mut interrupt, &mut terminate).await })
}

async fn wait(
    ui: Ui,
    stop: Stop,
    mut interrupt: Signal,
    mut terminate: Signal,
    at_once: impl FnOnce(),
) {
    either(&mut interrupt, &mut terminate).await;
    stop.raise();
    talk(
        &ui,
        "Interrupted: nothing new is started, and what runs is waited for.\n\
         A second interrupt ends wgform at once; what was done is on record all the same.",
    );
    either(&mut interrupt, &mut terminate).await;
    talk(
        &ui,
        "Interrupted again: wgform ends now. The next run finds what was done, and looks at what was under way.",
    );
    at_once();
}

/// Says something, if it can be said at once. The output may be a pager that is not scrolled on: the main thread then
/// holds it, and the second interrupt must end the process all the same.
fn talk(ui: &Ui, text: &'static str) {
    let ui = ui.clone();
    patiently(move || ui.talk(text));
}

/// Does something that has to wait for the output, for as long as there is patience.
pub(crate) fn patiently(work: impl FnOnce() + Send + 'static) {
    let (done, is_done) = channel();
    let work = move || {
        work();
        _ = done.send(());
    };
    if thread::Builder::new().name("talk".to_owned()).spawn(work).is_ok() {
        _ = is_done.recv_timeout(PATIENCE);
    }
}

async fn either(one: &mut Signal, other: &mut Signal) {
    tokio::select! {
        _ = one.recv() => {}
        _ = other.recv() => {}
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};

    use crate::ui::{Interrupt, Options, Streams, Ui};

    #[test]
    fn the_first_interrupt_stops_and_the_second_ends() {
        let (streams, _, stderr) = Streams::in_memory("");
        let ui = Ui::new(streams, &BTreeMap::new(), Options::default());
        let (ended, end) = channel();
        let interrupt = Interrupt::listen(&ui, move || ended.send(()).unwrap()).unwrap();
        assert!(!interrupt.stop().is_raised());

        kill_process(getpid(), Signal::TERM).unwrap();
        for _ in 0..500 {
            if interrupt.stop().is_raised() {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        assert!(interrupt.stop().is_raised());
        assert!(end.recv_timeout(Duration::from_millis(100)).is_err(), "one is not enough to end");

        // The main thread may be busy: this test's is, and does not let go.
        kill_process(getpid(), Signal::INT).unwrap();
        end.recv_timeout(Duration::from_secs(5)).unwrap();
        let text = stderr.take();
        assert!(text.starts_with("Interrupted: nothing new is started"), "{text}");
        assert!(text.contains("\nInterrupted again: wgform ends now."), "{text}");
    }
}
