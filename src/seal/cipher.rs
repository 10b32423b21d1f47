//! The sealing itself: age for a document, and an AEAD that age brings for the records of a journal.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use age::secrecy::SecretString;
use age::{DecryptError, Decryptor, Encryptor, Identity, Recipient, scrypt, ssh, x25519};
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::seal::keys::{Keys, Writes};
use crate::seal::{SealError, Warn};
use crate::value::Secret;

/// Whether anything can be sealed or opened.
pub(super) const IS_THERE: bool = true;

/// The work of scrypt, as a power of two. age aims at a second of it, for passphrases that people make up. Ours has
/// sixteen characters at the least, and a run needs it for each document: 0.16 seconds and 64 MB.
const WORK: u8 = 16;
/// What another program may ask of us: some seconds and 1 GB.
const MOST_WORK: u8 = 20;

const NONCE: usize = 24;

type Recipients = Vec<Box<dyn Recipient>>;

/// What opens documents.
pub(super) struct Identities {
    all: Vec<Box<dyn Identity + Send + Sync>>,
    passphrase: Option<Secret>,
    /// What they are, for messages; none when there are none.
    described: Option<String>,
}

impl Identities {
    /// Reads the identities that there are.
    pub(super) fn load(keys: &Keys, warn: Option<&Warn>) -> Result<Self, SealError> {
        let mut all = Vec::new();
        if let Some(path) = &keys.identity_file {
            let text = read(path, warn)?;
            let wrong = |why| SealError::IdentityFile { path: path.clone(), why };
            all.extend(identities(&text).map_err(wrong)?);
        }
        if let Some(text) = &keys.identity {
            all.extend(identities(text.expose()).map_err(|why| SealError::Identity { why })?);
        }
        Ok(Self { all, passphrase: keys.passphrase.clone(), described: keys.describe() })
    }
}

#[expect(clippy::disallowed_methods, reason = "the identity lies in a file that the user names")]
fn read(path: &Path, warn: Option<&Warn>) -> Result<Zeroizing<String>, SealError> {
    let wrong = |why: String| SealError::IdentityFile { path: path.to_owned(), why };
    let found = fs::metadata(path).map_err(|error| wrong(error.to_string()))?;
    if !found.is_file() {
        return Err(wrong("it is no file".to_owned()));
    }
    if found.permissions().mode() & 0o077 != 0
        && let Some(warn) = warn
    {
        warn(&format!(
            "others can read the identity file `{0}`, and so whatever is sealed for it: `chmod 600 {0}`",
            path.display()
        ));
    }
    let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    Ok(Zeroizing::new(text))
}

fn identities(text: &str) -> Result<Vec<Box<dyn Identity + Send + Sync>>, String> {
    let text = text.trim();
    if text.starts_with("-----BEGIN AGE") || text.starts_with("age-encryption.org/") {
        return Err(
            "it is sealed with a passphrase itself, which wgform does not ask for".to_owned()
        );
    }
    if text.starts_with("-----BEGIN") {
        return Ok(vec![ssh_identity(text)?]);
    }
    let mut all: Vec<Box<dyn Identity + Send + Sync>> = Vec::new();
    for (line, number) in text.lines().map(str::trim).zip(1..) {
        match line {
            "" => {}
            it if it.starts_with('#') => {}
            it if it.starts_with("AGE-PLUGIN-") => {
                return Err(format!("line {number} needs a plugin of age, and wgform runs none"));
            }
            it => {
                let identity: x25519::Identity =
                    it.parse().map_err(|_| format!("line {number} is no identity of age"))?;
                all.push(Box::new(identity));
            }
        }
    }
    if all.is_empty() { Err("there is no identity in it".to_owned()) } else { Ok(all) }
}

fn ssh_identity(text: &str) -> Result<Box<dyn Identity + Send + Sync>, String> {
    let text = format!("{text}\n");
    match ssh::Identity::from_buffer(text.as_bytes(), None) {
        Ok(identity @ ssh::Identity::Unencrypted(_)) => Ok(Box::new(identity)),
        Ok(ssh::Identity::Encrypted(_)) => {
            Err("it has a passphrase of its own, which wgform does not ask for".to_owned())
        }
        Ok(ssh::Identity::Unsupported(_)) => {
            Err("it is of a kind that age cannot use: ed25519 and rsa are".to_owned())
        }
        Err(_) => Err("it is no private key of OpenSSH".to_owned()),
    }
}

/// Looks whether a text names somebody to seal for.
pub(super) fn check_recipient(text: &str) -> Result<(), String> {
    recipient(text).map(drop)
}

fn recipient(text: &str) -> Result<Box<dyn Recipient>, String> {
    let start = || text.chars().take(24).collect::<String>();
    if text.starts_with("AGE-SECRET-KEY-") {
        return Err("this is an identity, which is secret, and no recipient".to_owned());
    }
    if text.starts_with("ssh-") {
        let recipient: ssh::Recipient = text
            .parse()
            .map_err(|_| format!("`{}…` is no public key that age can use", start()))?;
        return Ok(Box::new(recipient));
    }
    // What does not look like a recipient may be a key of any kind.
    let shown = || if text.starts_with("age1") { format!("`{}`", start()) } else { "this".into() };
    let recipient: x25519::Recipient =
        text.parse().map_err(|_| format!("{} is no recipient", shown()))?;
    Ok(Box::new(recipient))
}

/// Seals for those whom the keys name.
pub(super) fn seal(plain: &[u8], keys: &Keys) -> Result<Vec<u8>, SealError> {
    let failed = |why: String| SealError::Failed { why };
    let recipients: Recipients = match (&keys.writes, &keys.passphrase) {
        (Writes::Recipients(all), _) => {
            all.iter().map(|it| recipient(it)).collect::<Result<_, _>>().map_err(failed)?
        }
        (Writes::Passphrase, Some(passphrase)) => {
            let mut recipient = scrypt::Recipient::new(SecretString::from(passphrase.expose()));
            recipient.set_work_factor(WORK);
            vec![Box::new(recipient)]
        }
        _ => return Err(SealError::NoRecipients),
    };
    let recipients = recipients.iter().map(|it| &**it);
    let encryptor =
        Encryptor::with_recipients(recipients).map_err(|error| failed(error.to_string()))?;
    let mut sealed = Vec::with_capacity(plain.len() + plain.len() / 1024 + 1024);
    let mut writer =
        encryptor.wrap_output(&mut sealed).map_err(|error| failed(error.to_string()))?;
    writer.write_all(plain).map_err(|error| failed(error.to_string()))?;
    writer.finish().map_err(|error| failed(error.to_string()))?;
    Ok(sealed)
}

/// Opens what was sealed.
pub(super) fn open(sealed: &[u8], identities: &Identities) -> Result<Vec<u8>, SealError> {
    let damaged = |why| SealError::Damaged { why };
    let decryptor = Decryptor::new_buffered(sealed).map_err(|error| match error {
        DecryptError::UnknownFormat => SealError::UnknownMethod,
        _ => damaged("its content is no file of age"),
    })?;
    let passphrase = identities.passphrase.as_ref().filter(|_| decryptor.is_scrypt());
    let passphrase = passphrase.map(|it| {
        let mut identity = scrypt::Identity::new(SecretString::from(it.expose()));
        identity.set_max_work_factor(MOST_WORK);
        identity
    });
    let all = identities.all.iter().map(|it| &**it as &dyn Identity);
    let all = all.chain(passphrase.as_ref().map(|it| it as &dyn Identity));
    let mut reader = decryptor.decrypt(all).map_err(|error| match error {
        DecryptError::NoMatchingKeys
        | DecryptError::DecryptionFailed
        | DecryptError::KeyDecryptionFailed => locked(sealed, identities),
        DecryptError::ExcessiveWork { required, .. } => {
            SealError::TooMuchWork { required, most: MOST_WORK }
        }
        _ => damaged("its head was changed"),
    })?;
    let mut plain = Vec::with_capacity(sealed.len());
    reader.read_to_end(&mut plain).map_err(|_| damaged("its content was changed or cut off"))?;
    Ok(plain)
}

fn locked(sealed: &[u8], identities: &Identities) -> SealError {
    let sealed_for = sealed_for(sealed);
    match identities.described.clone() {
        Some(keys) => SealError::WrongKeys { keys, sealed_for },
        None => SealError::NoKeys { sealed_for },
    }
}

/// Says for whom a file of age is sealed, as far as that can be seen from outside.
fn sealed_for(sealed: &[u8]) -> String {
    let lines = sealed.split(|byte| *byte == b'\n').take_while(|line| !line.starts_with(b"---"));
    let kinds = lines.filter_map(|line| line.strip_prefix(b"-> "));
    let kinds: Vec<&[u8]> = kinds.filter_map(|it| it.split(|byte| *byte == b' ').next()).collect();
    if kinds.contains(&b"scrypt".as_slice()) {
        return "with a passphrase".to_owned();
    }
    // Some lines are noise, and meant to be.
    match kinds.iter().filter(|it| !it.ends_with(b"-grease")).count() {
        1 => "for one recipient".to_owned(),
        count => format!("for {count} recipients"),
    }
}

/// A key that was made for one journal.
pub(super) struct JournalKey(Zeroizing<[u8; 32]>);

impl JournalKey {
    pub(super) fn new() -> Result<Self, SealError> {
        let mut key = Zeroizing::new([0; 32]);
        fill(&mut *key)?;
        Ok(Self(key))
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        let key = bytes.try_into().map_err(|_| SealError::Damaged { why: "its key is none" })?;
        Ok(Self(Zeroizing::new(key)))
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &*self.0
    }

    /// Seals the record at a place. The nonce comes first.
    pub(super) fn seal(&self, record: &[u8], at: u64) -> Result<Vec<u8>, SealError> {
        let mut sealed = vec![0; NONCE];
        fill(&mut sealed)?;
        let nonce = *XNonce::from_slice(&sealed);
        let payload = Payload { msg: record, aad: &at.to_be_bytes() };
        let record = self.cipher().encrypt(&nonce, payload);
        sealed.extend(record.map_err(|_| SealError::Failed { why: "it is too long".to_owned() })?);
        Ok(sealed)
    }

    /// Opens the record at a place; none when it is not as it was sealed.
    pub(super) fn open(&self, sealed: &[u8], at: u64) -> Option<Vec<u8>> {
        let (nonce, record) = sealed.split_at_checked(NONCE)?;
        let payload = Payload { msg: record, aad: &at.to_be_bytes() };
        self.cipher().decrypt(XNonce::from_slice(nonce), payload).ok()
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new((&*self.0).into())
    }
}

#[expect(clippy::disallowed_methods, reason = "as age does it: no plan and no state depends on it")]
fn fill(bytes: &mut [u8]) -> Result<(), SealError> {
    getrandom::fill(bytes).map_err(|error| SealError::Failed { why: error.to_string() })
}
