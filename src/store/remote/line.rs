//! The line to a store: a thread of its own that talks to it, so that the lock is renewed also while somebody thinks
//! about a question, and whatever the rest of the program is waiting for.
//!
//! Requests are done one after another. Between them, and beside them, the lock is renewed.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime};

use futures_util::future::join_all;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::LocalSet;
use tokio::time::Instant;

use crate::failpoint;
use crate::store::LockInfo;
use crate::store::remote::{DeviceWish, Document, Make, Remote, RemoteError, Reply, Version};

/// How often the holder of a lock says that it still lives.
const BEAT: Duration = Duration::from_secs(30);

/// How often it is looked whether a beat is due: soon after a machine has slept.
const GLANCE: Duration = Duration::from_secs(1);

/// Less than this is too little for the answer of a busy host, also in a test.
const SHORTEST: Duration = Duration::from_secs(1);

/// How often a write is tried of which it is not known whether it arrived, and how long before each further time.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];

/// How many times 20 milliseconds a lock that is given back waits for its last renewal.
const LAST_RENEWAL: u32 = 500;

type Work<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;
type Job = Box<dyn for<'a> FnOnce(Result<&'a dyn Remote, &'a RemoteError>) -> Work<'a> + Send>;

/// What is called once, when the lock is lost.
type OnLoss = Box<dyn FnOnce() + Send>;

/// The line to one store.
pub(crate) struct Line {
    jobs: Option<UnboundedSender<Job>>,
    thread: Option<JoinHandle<()>>,
    lease: Arc<Mutex<Lease>>,
}

/// The lock, as far as this process holds it.
#[derive(Default)]
struct Lease {
    /// None also when the store says that it is no longer ours.
    held: Option<LockInfo>,
    /// The devices whose locks are held.
    devices: BTreeMap<String, LockInfo>,
    /// One of them whose lock was taken away.
    lost_device: Option<String>,
    /// When the store was asked last that answered that it is ours.
    heard: Option<Moment>,
    /// The run has to stop: somebody else has it, or may have it, or writes without it.
    is_lost: bool,
    /// The store is being told that the holder lives.
    is_renewing: bool,
    /// It was given back, or is about to be.
    is_given_back: bool,
    /// The process is about to end, and takes no lock any more.
    is_closed: bool,
    on_loss: Option<OnLoss>,
}

/// A moment by two clocks: one stops while the machine sleeps, the other may be set.
#[derive(Clone, Copy)]
struct Moment {
    running: Instant,
    wall: SystemTime,
}

impl Moment {
    fn now() -> Self {
        Self { running: Instant::now(), wall: SystemTime::now() }
    }

    /// Returns how long ago it is, by the clock that says more.
    fn age(&self) -> Duration {
        self.running.elapsed().max(self.wall.elapsed().unwrap_or_default())
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

impl Line {
    /// Starts the thread. The store is connected to with the first request.
    pub(crate) fn new(make: Make) -> io::Result<Self> {
        let (jobs, queue) = unbounded_channel();
        let lease = Arc::new(Mutex::new(Lease::default()));
        let shared = Arc::clone(&lease);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name("store".to_owned()).spawn(move || {
            let tasks = LocalSet::new();
            runtime.block_on(tasks.run_until(serve(make, queue, shared)));
        })?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread), lease })
    }

    /// Asks the store for something, and waits for its answer.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        ask: impl for<'a> FnOnce(&'a dyn Remote) -> Reply<'a, T> + Send + 'static,
    ) -> Result<T, RemoteError> {
        self.begin(ask).recv().unwrap_or_else(|_| Err(gone()))
    }

    /// Asks the store for something, and does not wait.
    pub(crate) fn begin<T: Send + 'static>(
        &self,
        ask: impl for<'a> FnOnce(&'a dyn Remote) -> Reply<'a, T> + Send + 'static,
    ) -> Receiver<Result<T, RemoteError>> {
        let (tell, told) = sync_channel(1);
        let job = job(move |remote| match remote {
            Ok(remote) => {
                let reply = ask(remote);
                Box::pin(async move { _ = tell.send(reply.await) })
            }
            Err(error) => {
                let error = again(error);
                Box::pin(async move { _ = tell.send(Err(error)) })
            }
        });
        if let Some(jobs) = &self.jobs {
            // When the thread is gone, so is the sender of the answer, and whoever waits for it is told.
            _ = jobs.send(job);
        }
        told
    }

    /// Writes the document, and finds out whether a write arrived whose answer did not.
    pub(crate) fn begin_write(&self, write: Write) -> Receiver<Result<Version, RemoteError>> {
        self.begin(move |remote| Box::pin(put(remote, write)))
    }

    /// Takes the lock, and keeps it from now on.
    pub(crate) fn lock(&self, info: &LockInfo) -> Result<(), RemoteError> {
        let (wanted, lease) = (info.clone(), Arc::clone(&self.lease));
        self.ask(move |remote| {
            Box::pin(async move {
                if of(&lease).is_closed {
                    return Err(RemoteError::LockLost);
                }
                let heard = Some(Moment::now());
                remote.lock(&wanted).await?;
                let mut lease = of(&lease);
                let is_closed = lease.is_closed;
                *lease = Lease { held: Some(wanted), heard, is_closed, ..Lease::default() };
                Ok(())
            })
        })
    }

    /// Takes the lock of a device, and keeps it until the state's own is given back.
    pub(crate) fn lock_device(&self, device: &str, info: &LockInfo) -> Result<(), RemoteError> {
        let (device, wanted, lease) = (device.to_owned(), info.clone(), Arc::clone(&self.lease));
        self.ask(move |remote| {
            Box::pin(async move {
                if of(&lease).is_closed {
                    return Err(RemoteError::LockLost);
                }
                remote.device(&device, DeviceWish::Take(&wanted)).await?;
                of(&lease).devices.insert(device, wanted);
                Ok(())
            })
        })
    }

    /// Returns the device whose lock was taken away, if one was.
    pub(crate) fn lost_device(&self) -> Option<String> {
        of(&self.lease).lost_device.clone()
    }

    /// Gives the locks back that are still ours. When somebody else is about to, as whoever listens for Ctrl-C is, that is
    /// waited for: the process may end right after.
    pub(crate) fn unlock(&self) -> Result<(), RemoteError> {
        let told = {
            let mut lease = of(&self.lease);
            let (held, devices) = (lease.held.take(), std::mem::take(&mut lease.devices));
            match (held, devices) {
                (held, devices) if held.is_some() || !devices.is_empty() => {
                    lease.is_given_back = true;
                    let lease = Arc::clone(&self.lease);
                    self.begin(move |remote| Box::pin(give_back(remote, held, devices, lease)))
                }
                _ if lease.is_given_back => self.begin(|_| Box::pin(async { Ok(()) })),
                _ => return Ok(()),
            }
        };
        told.recv().unwrap_or_else(|_| Err(gone()))
    }

    /// Takes no lock from now on, and gives back what is held, also what was being taken at this moment.
    pub(crate) fn close(&self) {
        of(&self.lease).is_closed = true;
        // What was asked for before has its answer by then.
        _ = self.begin(|_| Box::pin(async { Ok(()) })).recv();
        _ = self.unlock();
    }

    /// Returns whether the lock was lost.
    pub(crate) fn is_lost(&self) -> bool {
        of(&self.lease).is_lost
    }

    /// Returns whether it was given back, as by whoever listens for Ctrl-C. Nothing may be written then.
    pub(crate) fn is_given_back(&self) -> bool {
        of(&self.lease).is_given_back
    }

    /// Stops the run, as if the lock were lost: a write has found out that somebody else writes. Whether it is still ours is
    /// asked when it is given back.
    pub(crate) fn lose(&self) {
        lose(&self.lease);
    }

    /// Says what is to be done once the lock is lost.
    pub(crate) fn on_loss(&self, act: impl FnOnce() + Send + 'static) {
        let mut lease = of(&self.lease);
        if lease.is_lost || lease.lost_device.is_some() {
            drop(lease);
            act();
        } else {
            lease.on_loss = Some(Box::new(act));
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // What was asked for is done first: a lock that is given back, above all.
            _ = thread.join();
        }
    }
}

/// One write of the document.
#[derive(Clone)]
pub(crate) struct Write {
    pub(crate) bytes: Vec<u8>,
    pub(crate) serial: u64,
    pub(crate) over: Option<Version>,
    pub(crate) lock: Option<LockInfo>,
}

/// Gives a closure the type of a job, which the compiler does not guess.
fn job<F>(job: F) -> Job
where
    F: for<'a> FnOnce(Result<&'a dyn Remote, &'a RemoteError>) -> Work<'a> + Send + 'static,
{
    Box::new(job)
}

fn of(lease: &Mutex<Lease>) -> std::sync::MutexGuard<'_, Lease> {
    lease.lock().unwrap_or_else(PoisonError::into_inner)
}

fn gone() -> RemoteError {
    RemoteError::Unreachable("what talks to the store has ended".to_owned())
}

/// The connection could not be made, which everybody is told who asks for something.
fn again(error: &RemoteError) -> RemoteError {
    match error {
        RemoteError::Refused(why) => RemoteError::Refused(why.clone()),
        RemoteError::Unclear(why) => RemoteError::Unclear(why.clone()),
        other => RemoteError::Unreachable(other.to_string()),
    }
}

fn lose(lease: &Mutex<Lease>) {
    let act = {
        let mut lease = of(lease);
        lease.is_lost = true;
        lease.on_loss.take()
    };
    if let Some(act) = act {
        act();
    }
}

/// Stops a run whose device somebody else may have now. Its state is still its own.
fn lose_device(lease: &Mutex<Lease>, device: Option<String>) {
    let Some(device) = device else { return };
    let act = {
        let mut lease = of(lease);
        if lease.devices.remove(&device).is_none() {
            // It was given back meanwhile.
            return;
        }
        lease.lost_device = Some(device);
        lease.on_loss.take()
    };
    if let Some(act) = act {
        act();
    }
}

async fn serve(make: Make, mut jobs: UnboundedReceiver<Job>, lease: Arc<Mutex<Lease>>) {
    // Nobody may ever ask: then nothing is connected to.
    let Some(first) = jobs.recv().await else { return };
    let remote: Result<Rc<dyn Remote>, RemoteError> = make().map(Rc::from);
    let renewal =
        remote.as_ref().ok().map(|it| tokio::task::spawn_local(renew(Rc::clone(it), lease)));
    let mut next = Some(first);
    while let Some(job) = next {
        job(remote.as_ref().map(|it| &**it)).await;
        next = jobs.recv().await;
    }
    if let Some(renewal) = renewal {
        renewal.abort();
    }
}

async fn give_back(
    remote: &dyn Remote,
    held: Option<LockInfo>,
    devices: BTreeMap<String, LockInfo>,
    lease: Arc<Mutex<Lease>>,
) -> Result<(), RemoteError> {
    // What is still on its way must not make a lock anew that is given back here.
    for _ in 0..LAST_RENEWAL {
        if !of(&lease).is_renewing {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let given = devices.iter().map(|it| remote.device(it.0, DeviceWish::GiveBack(it.1)));
    let given = join_all(given).await.into_iter().fold(Ok(()), Result::and);
    match &held {
        Some(info) => free(remote, info, &lease).await.and(given),
        None => given,
    }
}

/// Gives the lock of the state back. One that is believed lost may be there all the same, and would stay with nobody.
async fn free(
    remote: &dyn Remote,
    info: &LockInfo,
    lease: &Mutex<Lease>,
) -> Result<(), RemoteError> {
    let is_lost = of(lease).is_lost;
    if is_lost {
        let patience = failpoint::hurried(BEAT).max(SHORTEST);
        match tokio::time::timeout(patience, remote.renew(info)).await {
            Ok(Err(RemoteError::LockLost | RemoteError::Locked(_))) => return Ok(()),
            Ok(asked) => asked?,
            Err(_) => return Err(RemoteError::Unreachable("it does not answer".to_owned())),
        }
    }
    remote.unlock(info).await
}

/// Says every now and then that the holder of the lock lives. When the store has not agreed for as long as it takes until
/// others may have the lock, it counts as lost.
async fn renew(remote: Rc<dyn Remote>, lease: Arc<Mutex<Lease>>) {
    let beat = failpoint::hurried(BEAT);
    let patience = beat.max(SHORTEST);
    let limit = failpoint::hurried(remote.lease()).max(SHORTEST * 3);
    let mut tried = Moment::now();
    loop {
        tokio::time::sleep(beat.min(GLANCE)).await;
        if tried.age() < beat {
            continue;
        }
        tried = Moment::now();
        let (info, devices) = {
            let mut lease = of(&lease);
            let Some(info) = lease.held.clone() else { continue };
            lease.is_renewing = true;
            (info, lease.devices.clone())
        };
        let renew_all = async {
            let all = devices.iter().map(|it| remote.device(it.0, DeviceWish::Renew(it.1)));
            let all = join_all(all);
            let (renewed, all) = tokio::join!(remote.renew(&info), all);
            let gone = |it: &Result<(), RemoteError>| {
                matches!(it, Err(RemoteError::LockLost | RemoteError::Locked(_)))
            };
            let lost = all.iter().position(gone).and_then(|it| devices.keys().nth(it).cloned());
            lose_device(&lease, lost);
            all.into_iter().filter(|it| !gone(it)).fold(renewed, Result::and)
        };
        let renewed = tokio::time::timeout(patience, renew_all).await;
        // It may have been given back meanwhile.
        let (is_held, heard) = {
            let mut lease = of(&lease);
            lease.is_renewing = false;
            if matches!(renewed, Ok(Ok(()))) {
                lease.heard = Some(tried);
            }
            (lease.held.as_ref().is_some_and(|held| held.id == info.id), lease.heard)
        };
        match renewed {
            Ok(Ok(())) => {}
            _ if !is_held => {}
            Ok(Err(RemoteError::LockLost | RemoteError::Locked(_))) => {
                // The store says so: there is nothing to give back.
                of(&lease).held = None;
                lose(&lease);
            }
            // No answer, or one that says nothing of the lock.
            Err(_) | Ok(Err(_)) => {
                if heard.is_none_or(|it| it.age() >= limit) {
                    lose(&lease);
                }
            }
        }
    }
}

/// Writes, and looks whether a write of which nothing was heard has arrived.
async fn put(remote: &dyn Remote, write: Write) -> Result<Version, RemoteError> {
    let Write { bytes, serial, over, lock } = write;
    let mut pauses = PAUSES.iter();
    loop {
        let error = match remote.write(&bytes, serial, over.as_ref(), lock.as_ref()).await {
            // A store that tries again by itself may find its own write there.
            Err(error @ (RemoteError::Stale | RemoteError::Unreachable(_))) => error,
            written => return written,
        };
        let is_stale = matches!(error, RemoteError::Stale);
        let mut found = remote.read().await;
        while !is_stale && found.is_err() {
            let Some(pause) = pauses.next() else { return Err(error) };
            tokio::time::sleep(failpoint::hurried(*pause)).await;
            found = remote.read().await;
        }
        match found {
            Ok(Some(Document { bytes: found, version })) if found == bytes => return Ok(version),
            Ok(found) if !is_stale && found.as_ref().map(|it| &it.version) == over.as_ref() => {
                let Some(pause) = pauses.next() else { return Err(error) };
                tokio::time::sleep(failpoint::hurried(*pause)).await;
            }
            Ok(_) => return Err(RemoteError::Stale),
            Err(_) => return Err(error),
        }
    }
}
