//! What becomes of a lock elsewhere when the process is told to end while nothing is being changed: at a question, or
//! while devices are asked. A file's lock dies with its process; one in a store has to be given back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::command::Context;
use crate::command::reports;
use crate::error::{Error, Kind};
use crate::ui::interrupt::first as first_interrupt;

/// Gives locks back when the process is told to end.
#[derive(Debug, Default)]
pub(crate) struct GivingBack {
    /// Raised once an apply listens itself.
    is_resting: Arc<AtomicBool>,
    /// Raised when the process was told to end, and is about to.
    is_ending: Arc<AtomicBool>,
}

/// How many times 20 milliseconds the process may take to end, with a store that answers late.
const LAST_WORDS: u32 = 500;

impl Drop for GivingBack {
    /// Waits for the end that was asked for: a question whose input ends with it, too, must not end the run as a no.
    fn drop(&mut self) {
        for _ in 0..LAST_WORDS {
            if !self.is_ending.load(Ordering::SeqCst) {
                return;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }
}

impl GivingBack {
    /// Listens from now on.
    pub(crate) fn stand(
        &self,
        context: &Context,
        give_back: Box<dyn FnOnce() + Send>,
    ) -> Result<(), Error> {
        let not_heard = |error: std::io::Error| {
            Error::new(Kind::Failed, "could not listen for Ctrl-C").cause(&error)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let runtime = runtime.map_err(not_heard)?;
        let one = {
            let _guard = runtime.enter();
            first_interrupt().map_err(not_heard)?
        };
        context.hand_over();
        let (is_resting, ui, quit) =
            (Arc::clone(&self.is_resting), context.ui.clone(), context.quit);
        let is_ending = Arc::clone(&self.is_ending);
        let listen = move || {
            runtime.block_on(one);
            if is_resting.load(Ordering::SeqCst) {
                return;
            }
            is_ending.store(true, Ordering::SeqCst);
            // A store that does not answer must not keep the second one from ending the process.
            let again = runtime.block_on(async { first_interrupt() });
            let end = move || reports::end_now(&ui, quit);
            let end_too = end.clone();
            let give_back = move || {
                give_back();
                end_too();
            };
            let spawned = thread::Builder::new().name("give back".to_owned()).spawn(give_back);
            if let (Ok(_), Ok(again)) = (spawned, again) {
                runtime.block_on(again);
            }
            end();
        };
        thread::Builder::new().name("guard".to_owned()).spawn(listen).map(drop).map_err(not_heard)
    }

    /// Leaves it to the apply from now on.
    pub(crate) fn rest(&self) {
        self.is_resting.store(true, Ordering::SeqCst);
    }
}
