//! What a file with a private key looks like: the public key as a comment, then the key.

use zeroize::Zeroizing;

use crate::actual::KeyFile;
use crate::value::PrivateKey;

const LABEL: &str = "# public key: ";

/// Writes the text of a file.
pub(crate) fn write(key: &PrivateKey) -> Zeroizing<String> {
    Zeroizing::new(format!("{LABEL}{}\n{}\n", key.public(), key.expose_text().as_str()))
}

/// Reads the text of a file. A key without a comment is one, a comment that names another key makes it useless.
pub(crate) fn read(text: &str) -> KeyFile {
    let mut keys =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (Some(line), None) = (keys.next(), keys.next()) else {
        return KeyFile::Unusable("it does not hold one key on one line".to_owned());
    };
    let key: PrivateKey = match line.parse() {
        Ok(key) => key,
        Err(error) => return KeyFile::Unusable(error.to_string()),
    };
    let label = text.lines().find_map(|line| line.strip_prefix(LABEL));
    match label {
        Some(public) if public.trim() != key.public().to_string() => {
            KeyFile::Unusable("its comment names another public key".to_owned())
        }
        _ => KeyFile::Key(key),
    }
}

#[cfg(test)]
mod tests {
    use crate::actual::KeyFile;
    use crate::backend::linux::key_text::{read, write};
    use crate::value::PrivateKey;

    #[test]
    fn a_key_file_reads_back() {
        let key = PrivateKey::from_bytes([9; 32]);
        let text = write(&key);
        assert!(matches!(read(&text), KeyFile::Key(found) if found == key));
        let bare = text.lines().nth(1).unwrap();
        assert!(matches!(read(bare), KeyFile::Key(found) if found == key));
    }

    #[test]
    fn a_file_that_cannot_be_used_says_why_and_not_what_is_in_it() {
        let key = write(&PrivateKey::from_bytes([9; 32]));
        let other = write(&PrivateKey::from_bytes([8; 32]));
        let mixed = format!("{}\n{}\n", key.lines().next().unwrap(), other.lines().nth(1).unwrap());
        for (text, why) in [
            ("", "it does not hold one key on one line"),
            ("hunter2", "this is not a WireGuard private key: it has 7 characters"),
            (&format!("{}{}", *key, *other), "it does not hold one key on one line"),
            (&mixed, "its comment names another public key"),
        ] {
            assert!(matches!(read(text), KeyFile::Unusable(said) if said == why), "{why}");
        }
    }
}
