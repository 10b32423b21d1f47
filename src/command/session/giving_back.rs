//! What becomes of locks elsewhere when the process is told to end while nothing is being changed: at a question, or
//! while devices are asked. A file's lock dies with its process; one in a store has to be given back.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crate::command::{Context, reports};
use crate::error::{Error, Kind};
use crate::ui::interrupt::first as first_interrupt;

/// What gives one lock back.
type GiveBack = Box<dyn FnOnce() + Send>;

/// How many times 20 milliseconds the process may take to end, with a store that answers late.
const LAST_WORDS: u32 = 500;

/// Gives locks back when the process is told to end. One listens for all of them: whoever is done first must not end the
/// process while another lock stands.
#[derive(Default)]
pub(crate) struct GivingBack {
    /// Raised once an apply listens itself.
    is_resting: Arc<AtomicBool>,
    /// Raised when the process was told to end, and is about to.
    is_ending: Arc<AtomicBool>,
    /// None before the first lock.
    locks: Arc<Mutex<Option<Vec<GiveBack>>>>,
}

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
    /// Gives one more lock back from now on.
    pub(crate) fn stand(&self, context: &Context, give_back: GiveBack) -> Result<(), Error> {
        let is_first = {
            let mut locks = of(&self.locks);
            let is_first = locks.is_none();
            locks.get_or_insert_default().push(give_back);
            is_first
        };
        if is_first { self.listen(context) } else { Ok(()) }
    }

    fn listen(&self, context: &Context) -> Result<(), Error> {
        let not_heard = |error: std::io::Error| {
            Error::new(Kind::Failed, "could not listen for Ctrl-C").cause(&error)
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build();
        let runtime = runtime.map_err(not_heard)?;
        let one = {
            let _guard = runtime.enter();
            first_interrupt().map_err(not_heard)?
        };
        // Whoever would have ended the reports at once leaves the end to this one, which has more to do before.
        context.hand_over();
        let (ui, quit) = (context.ui.clone(), context.quit);
        let (is_resting, is_ending) = (Arc::clone(&self.is_resting), Arc::clone(&self.is_ending));
        let locks = Arc::clone(&self.locks);
        let listen = move || {
            runtime.block_on(one);
            if is_resting.load(Ordering::SeqCst) {
                return;
            }
            is_ending.store(true, Ordering::SeqCst);
            // A store that does not answer must not keep the second one from ending the process.
            let again = runtime.block_on(async { first_interrupt() });
            let end = move || reports::end_now(&ui, quit);
            let end_after = end.clone();
            let give_back = move || {
                give_all_back(&locks);
                end_after();
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

/// Gives back what stands, also what is being taken meanwhile. A store that answers late keeps no other one waiting.
fn give_all_back(locks: &Mutex<Option<Vec<GiveBack>>>) {
    loop {
        let standing = of(locks).as_mut().map(mem::take).unwrap_or_default();
        if standing.is_empty() {
            return;
        }
        thread::scope(|scope| {
            for give_back in standing {
                scope.spawn(give_back);
            }
        });
    }
}

fn of(locks: &Mutex<Option<Vec<GiveBack>>>) -> MutexGuard<'_, Option<Vec<GiveBack>>> {
    locks.lock().unwrap_or_else(PoisonError::into_inner)
}
