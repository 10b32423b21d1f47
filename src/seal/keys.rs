//! Who can read what is sealed: by the `encryption` block, and by the environment for what that leaves out.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::seal::{WrongKey, cipher};
use crate::value::Secret;

/// A shorter passphrase is guessed by machines that are rented by the hour.
const SHORTEST: usize = 16;

const RECIPIENTS: &str = "WGFORM_AGE_RECIPIENTS";
const IDENTITY_FILE: &str = "WGFORM_AGE_IDENTITY_FILE";
const IDENTITY: &str = "WGFORM_AGE_IDENTITY";
const PASSPHRASE: &str = "WGFORM_PASSPHRASE";

/// What a configuration and the environment say of sealing.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Whether there is an `encryption` block.
    pub is_declared: bool,
    /// Its `age_recipients`; none when it leaves them out.
    pub recipients: Option<Vec<String>>,
    /// Its `age_identity_file`.
    pub identity_file: Option<String>,
    /// Its `sealed`.
    pub sealed: Option<bool>,
    /// The environment.
    pub environment: BTreeMap<String, Secret>,
}

/// What is done with what is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Writes {
    /// It is sealed for these.
    Recipients(Vec<String>),
    /// It is sealed with the passphrase.
    Passphrase,
    /// It is left open, as the configuration says.
    Plain,
    /// Nothing is said: what was open stays open.
    #[default]
    Unsaid,
}

impl Writes {
    /// Says who can read what is written from now on.
    pub fn readers(&self) -> String {
        match self {
            Self::Recipients(all) => {
                let names: Vec<String> = all.iter().map(|it| shortened(it)).collect();
                names.join(", ")
            }
            Self::Passphrase => "whoever knows the passphrase".to_owned(),
            Self::Plain | Self::Unsaid => "everybody who can read the store".to_owned(),
        }
    }
}

/// Returns as much of a recipient as tells it from others: its comment, where it has one.
fn shortened(recipient: &str) -> String {
    let mut parts = recipient.split_whitespace();
    let (first, second, comment) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
    let start = |text: &str, length: usize| text.chars().take(length).collect::<String>();
    match (second, comment) {
        (Some(_), Some(comment)) => format!("{first} {comment}"),
        // The keys of a kind begin alike, and end as each its own.
        (Some(key), None) => {
            let end: Vec<char> = key.chars().rev().take(8).collect();
            format!("{first} …{}", end.iter().rev().collect::<String>())
        }
        (None, _) => format!("{}…", start(first, 12)),
    }
}

/// The keys of a run.
#[derive(Clone, Default)]
#[cfg_attr(not(feature = "age"), allow(dead_code, reason = "nothing can be opened without age"))]
pub(crate) struct Keys {
    pub(crate) writes: Writes,
    pub(crate) identity_file: Option<PathBuf>,
    pub(crate) identity: Option<Secret>,
    pub(crate) passphrase: Option<Secret>,
}

impl Keys {
    pub(crate) fn read(settings: Settings, directory: &Path) -> Result<Self, WrongKey> {
        let Settings { is_declared, recipients, identity_file, sealed, environment } = settings;
        let variable =
            |name: &str| environment.get(name).filter(|it| !it.expose().trim().is_empty()).cloned();
        let passphrase = variable(PASSPHRASE);
        if let Some(it) = &passphrase {
            check_passphrase(it)?;
        }
        let home = environment.get("HOME").map(|it| it.expose().to_owned());
        let identity_file = identity_file.map(|it| ("age_identity_file", it));
        let from_outside = || variable(IDENTITY_FILE).map(|it| ("", it.expose().to_owned()));
        let identity_file = identity_file.or_else(from_outside);
        let identity_file =
            identity_file.map(|(of, it)| expanded(of, &it, home.as_deref())).transpose()?;
        let (from, recipients) = match (recipients, variable(RECIPIENTS)) {
            (Some(written), _) => (None, written),
            (None, Some(outside)) => {
                let all = outside.expose().split([',', '\n']).map(|it| it.trim().to_owned());
                (Some(RECIPIENTS), all.filter(|it| !it.is_empty()).collect())
            }
            (None, None) => (None, Vec::new()),
        };
        recipients.iter().try_for_each(|it| check_recipient(it, from))?;
        let writes = match (sealed, recipients.is_empty(), &passphrase) {
            (Some(false), _, _) => Writes::Plain,
            (_, false, _) => Writes::Recipients(recipients),
            (_, true, Some(_)) => Writes::Passphrase,
            (_, true, None) if is_declared => return Err(for_nobody()),
            (_, true, None) => Writes::Unsaid,
        };
        let keys = Self {
            writes,
            identity_file: identity_file.map(|it| directory.join(it)),
            identity: variable(IDENTITY),
            passphrase,
        };
        match is_declared && !cipher::IS_THERE {
            true => Err(without_feature()),
            false => Ok(keys),
        }
    }

    /// Says what there is to open something with; none when there is nothing.
    #[cfg_attr(
        not(feature = "age"),
        expect(dead_code, reason = "nothing can be opened without age")
    )]
    pub(crate) fn describe(&self) -> Option<String> {
        let identity = match (&self.identity_file, &self.identity) {
            (Some(path), None) => Some(format!("the identity in `{}`", path.display())),
            (None, Some(_)) => Some(format!("the identity in `{IDENTITY}`")),
            (Some(path), Some(_)) => Some(format!(
                "neither the identity in `{}` nor the one in `{IDENTITY}`",
                path.display()
            )),
            (None, None) => None,
        };
        let passphrase =
            self.passphrase.as_ref().map(|_| format!("the passphrase in `{PASSPHRASE}`"));
        match (identity, passphrase) {
            (Some(identity), Some(passphrase)) => Some(format!("{identity}, with {passphrase},")),
            (one, other) => one.or(other),
        }
    }
}

fn check_passphrase(passphrase: &Secret) -> Result<(), WrongKey> {
    if passphrase.expose().chars().count() >= SHORTEST {
        return Ok(());
    }
    Err(WrongKey {
        argument: "",
        variable: Some(PASSPHRASE),
        why: format!("the passphrase is too short: it needs {SHORTEST} characters"),
        hint: "A short one is found by trying. `openssl rand -base64 24` makes a good one; or use `age_recipients`.",
    })
}

/// Returns what is wrong with the recipients that a block names, whatever there is to open with and in the environment.
pub fn wrong_recipients(recipients: &[String]) -> Vec<WrongKey> {
    if !cipher::IS_THERE {
        return vec![without_feature()];
    }
    recipients.iter().filter_map(|it| check_recipient(it, None).err()).collect()
}

fn check_recipient(text: &str, from: Option<&'static str>) -> Result<(), WrongKey> {
    cipher::check_recipient(text).map_err(|why| WrongKey {
        argument: "age_recipients",
        variable: from,
        why,
        hint: "A recipient is what `age-keygen -y` prints, such as `age1…`, or a public key of OpenSSH, as `ssh-ed25519 …` or `ssh-rsa …`.",
    })
}

fn for_nobody() -> WrongKey {
    WrongKey {
        argument: "",
        variable: None,
        why: "nothing says for whom the state is to be sealed".to_owned(),
        hint: "Write `age_recipients = [\"age1…\"]`, or give `WGFORM_AGE_RECIPIENTS` or `WGFORM_PASSPHRASE` in the environment. To store the state in the open again, write `sealed = false`.",
    }
}

fn without_feature() -> WrongKey {
    WrongKey {
        argument: "",
        variable: None,
        why: "this wgform was built without the feature `age`".to_owned(),
        hint: "Use a wgform that was built with it, as it is by default.",
    }
}

/// Follows `~`, as a shell does.
fn expanded(argument: &'static str, path: &str, home: Option<&str>) -> Result<PathBuf, WrongKey> {
    let wrong = |why: &str| WrongKey {
        argument,
        variable: argument.is_empty().then_some(IDENTITY_FILE),
        why: why.to_owned(),
        hint: "Write the whole path.",
    };
    let Some(rest) = path.strip_prefix('~') else { return Ok(path.into()) };
    if !(rest.is_empty() || rest.starts_with('/')) {
        return Err(wrong("the home directory of another user is not known"));
    }
    let home = home.ok_or_else(|| wrong("the environment has no `HOME`"))?;
    Ok(Path::new(home).join(rest.trim_start_matches('/')))
}
