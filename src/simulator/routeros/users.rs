//! Who may ask the router what: passwords, the policies of their group, and the session that remembers those.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;

use crate::simulator::routeros::request::Refused;
use crate::value::Secret;

/// What a user of a full group may do.
pub const ALL_POLICIES: [&str; 6] = ["rest-api", "api", "read", "write", "test", "sensitive"];

/// What somebody has who may look at what is no secret.
pub const POLICIES_TO_READ: [&str; 3] = ["rest-api", "api", "read"];

/// For how long the web server keeps the session that it has opened for a user, in seconds.
const SESSION_SECONDS: i64 = 600;

/// What somebody may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rights(BTreeSet<&'static str>);

impl Rights {
    pub(super) fn has(&self, policy: &str) -> bool {
        self.0.contains(policy)
    }

    /// Returns whether keys are shown.
    pub(super) fn sees_secrets(&self) -> bool {
        self.has("sensitive")
    }
}

/// The users by name.
#[derive(Default)]
pub(super) struct Users(BTreeMap<String, User>);

/// Somebody who was let in.
pub(super) struct Login {
    pub(super) user: String,
    pub(super) rights: Rights,
    /// Whether a session was opened for it.
    pub(super) is_new: bool,
}

struct User {
    password: Secret,
    rights: Rights,
    /// Since when there is a session, and what it may do.
    session: Option<(Timestamp, Rights)>,
}

impl Users {
    /// Adds a user, or gives one another password.
    pub(super) fn set(&mut self, name: &str, password: Secret, policies: &[&str]) {
        let session = self.0.remove(name).and_then(|user| user.session);
        let rights = Rights(ALL_POLICIES.into_iter().filter(|it| policies.contains(it)).collect());
        self.0.insert(name.to_owned(), User { password, rights, session });
    }

    /// Ends all sessions, as a reboot does.
    pub(super) fn forget_sessions(&mut self) {
        self.0.values_mut().for_each(|user| user.session = None);
    }

    /// Finds out who asks and what they may do. A password counts at once; policies do when a session ends.
    pub(super) fn authenticate(
        &mut self,
        header: Option<&str>,
        now: Timestamp,
    ) -> Result<Login, Refused> {
        let unauthorized = || Refused::plain(401);
        let (name, password) = header.and_then(credentials).ok_or_else(unauthorized)?;
        let user = self.0.get_mut(&name).filter(|user| user.password == password);
        let user = user.ok_or_else(unauthorized)?;
        let lives = |since: Timestamp| now.duration_since(since).as_secs() < SESSION_SECONDS;
        let (rights, is_new) = match &user.session {
            Some((since, rights)) if lives(*since) => (rights.clone(), false),
            _ => {
                user.session = Some((now, user.rights.clone()));
                (user.rights.clone(), true)
            }
        };
        match (rights.has("rest-api"), rights.has("api")) {
            (false, _) => Err(unauthorized()),
            (true, false) => Err(Refused::no_api()),
            (true, true) => Ok(Login { user: name, rights, is_new }),
        }
    }
}

/// Returns who somebody says to be.
pub(super) fn claimed(header: Option<&str>) -> Option<String> {
    header.and_then(credentials).map(|(name, _)| name)
}

fn credentials(header: &str) -> Option<(String, Secret)> {
    let encoded = header.strip_prefix("Basic ")?;
    let text = String::from_utf8(BASE64.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), Secret::new(password)))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD as BASE64;
    use jiff::{Timestamp, ToSpan};

    use crate::simulator::routeros::users::{ALL_POLICIES, Users};
    use crate::value::Secret;

    fn basic(text: &str) -> String {
        format!("Basic {}", BASE64.encode(text))
    }

    #[test]
    fn only_the_right_password_is_let_in_and_an_empty_one_is_a_password() {
        let mut users = Users::default();
        users.set("admin", Secret::new(""), &ALL_POLICIES);
        let now = Timestamp::UNIX_EPOCH;
        let mut status =
            |header: Option<&str>| users.authenticate(header, now).err().map(|it| it.status);
        assert_eq!(status(Some(&basic("admin:"))), None);
        for wrong in
            [None, Some(basic("admin:x")), Some(basic("root:")), Some("Bearer x".to_owned())]
        {
            assert_eq!(status(wrong.as_deref()), Some(401), "{wrong:?}");
        }
    }

    #[test]
    fn policies_are_remembered_for_ten_minutes() {
        let mut users = Users::default();
        let header = basic("u:p");
        let begin = Timestamp::UNIX_EPOCH;
        let at = |users: &mut Users, seconds: i64| {
            let answer = users.authenticate(Some(&header), begin + seconds.seconds());
            answer.map(|login| login.rights.sees_secrets()).map_err(|refused| refused.status)
        };
        users.set("u", Secret::new("p"), &ALL_POLICIES);
        assert_eq!(at(&mut users, 0), Ok(true));
        users.set("u", Secret::new("p"), &["rest-api", "read"]);
        assert_eq!(at(&mut users, 599), Ok(true));
        assert_eq!(at(&mut users, 600), Err(500));
        users.set("u", Secret::new("p"), &["api", "read"]);
        assert_eq!(at(&mut users, 1201), Err(401));
    }
}
