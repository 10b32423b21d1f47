//! The world as `main` found it: environment, working directory, clock and randomness, read once and handed down.
//!
//! Nothing else asks for them, so that a test can hold them still.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use crate::value::{FingerprintKey, PresharedKey, PrivateKey};

/// What a run may ask of its surroundings.
#[derive(Clone)]
pub struct World {
    /// The environment.
    pub environment: BTreeMap<String, String>,
    /// The directory of the configuration: the working directory, or `-chdir`.
    pub directory: PathBuf,
    clock: Arc<dyn Fn() -> Timestamp + Send + Sync>,
    entropy: Arc<Entropy>,
}

/// Fills bytes with randomness.
type Entropy = dyn Fn(&mut [u8]) + Send + Sync;

impl World {
    /// Puts a world together.
    pub fn new(
        environment: BTreeMap<String, String>,
        directory: PathBuf,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
        entropy: impl Fn(&mut [u8]) + Send + Sync + 'static,
    ) -> Self {
        Self { environment, directory, clock: Arc::new(clock), entropy: Arc::new(entropy) }
    }

    /// Returns a variable of the environment.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str)
    }

    /// The workspace of whoever names none.
    pub const DEFAULT_WORKSPACE: &str = "default";

    /// The variable of the environment that names a workspace.
    pub const WORKSPACE: &str = "WGFORM_WORKSPACE";

    /// Returns the workspace: each has a state of its own.
    pub fn workspace(&self) -> &str {
        let named = self.variable(Self::WORKSPACE).filter(|name| !name.is_empty());
        named.unwrap_or(Self::DEFAULT_WORKSPACE)
    }

    /// Returns the time now.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Returns how many milliseconds have passed since then; none when the clock was set back.
    pub fn elapsed_ms(&self, since: Timestamp) -> u64 {
        u64::try_from(self.now().duration_since(since).as_millis()).unwrap_or_default()
    }

    /// Resolves a path that is relative to the configuration.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.directory.join(path)
    }

    /// Makes a private key.
    pub fn new_private_key(&self) -> PrivateKey {
        PrivateKey::from_bytes(self.random())
    }

    /// Makes a pre-shared key.
    pub fn new_preshared_key(&self) -> PresharedKey {
        loop {
            if let Some(key) = PresharedKey::from_bytes(self.random()) {
                return key;
            }
        }
    }

    /// Makes the key of a new state's fingerprints.
    pub fn new_fingerprint_key(&self) -> FingerprintKey {
        FingerprintKey::from_bytes(self.random())
    }

    /// Makes a random id.
    pub fn new_id(&self) -> Uuid {
        uuid::Builder::from_random_bytes(self.random()).into_uuid()
    }

    fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.entropy)(&mut bytes);
        bytes
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The environment holds secrets.
        write!(f, "World({})", self.directory.display())
    }
}
