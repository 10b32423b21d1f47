//! Who may ask the firewall what: passwords, keys and tokens, the privileges of a user, and whether the configuration can
//! be written by one.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;

use crate::simulator::pfsense::request::{Refused, Request};
use crate::simulator::pfsense::value::Value;
use crate::value::Secret;

/// What somebody may do with everything.
pub const ALL_PRIVILEGES: &str = "page-all";

/// What a user has who may read everything and store nothing.
/// The privilege that takes a user's right to change anything away.
pub const DENY_WRITE: &str = "user-config-readonly";

/// The users by name, and what lets one in.
#[derive(Default)]
pub(super) struct Users {
    users: BTreeMap<String, User>,
    keys: Vec<(Secret, String)>,
    tokens: Vec<(Secret, String, Timestamp)>,
    /// Those whom the access list keeps out.
    refused: BTreeSet<String>,
}

struct User {
    password: Secret,
    privileges: BTreeSet<String>,
}

/// Somebody who was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) may_write: bool,
}

impl Users {
    pub(super) fn set(&mut self, name: &str, password: Secret, privileges: &[&str]) {
        let privileges = privileges.iter().map(|it| (*it).to_owned()).collect();
        self.users.insert(name.to_owned(), User { password, privileges });
    }

    pub(super) fn add_key(&mut self, key: Secret, user: &str) {
        self.keys.push((key, user.to_owned()));
    }

    pub(super) fn add_token(&mut self, token: Secret, user: &str, until: Timestamp) {
        self.tokens.push((token, user.to_owned(), until));
    }

    pub(super) fn keep_out(&mut self, user: &str) {
        self.refused.insert(user.to_owned());
    }

    /// Finds out who asks, and whether that user has the privilege. The first of the methods that a request uses decides.
    pub(super) fn let_in(
        &self,
        request: &Request,
        methods: &Value,
        privilege: &str,
        now: Timestamp,
    ) -> Result<Login, Refused> {
        let basic = credentials(request, "Basic").and_then(password_of);
        let bearer = credentials(request, "Bearer");
        let key = request.api_key.as_deref().filter(|key| !key.is_empty());
        for method in methods.elements().unwrap_or_default() {
            let (is_asked, name) = match method.text() {
                Some("BasicAuth") => (basic.is_some(), self.by_password(basic.as_ref())),
                Some("JWTAuth") => (bearer.is_some(), self.by_token(bearer, now)),
                Some("KeyAuth") => (key.is_some(), self.by_key(key)),
                _ => continue,
            };
            if is_asked {
                let asks_password = method.text() == Some("BasicAuth");
                let name = name.ok_or_else(|| Refused::unauthenticated(asks_password))?;
                return self.authorize(name, privilege);
            }
        }
        Err(Refused::unauthenticated(false))
    }

    fn authorize(&self, name: &str, privilege: &str) -> Result<Login, Refused> {
        let user = self.users.get(name).ok_or_else(|| Refused::unauthenticated(false))?;
        let has = |privilege: &str| user.privileges.contains(privilege);
        if !has(ALL_PRIVILEGES) && !has(privilege) {
            return Err(Refused::unauthorized());
        }
        if self.refused.contains(name) {
            return Err(Refused::by_admin_policy("ENDPOINT_CLIENT_NOT_ALLOWED_BY_ACL"));
        }
        Ok(Login { may_write: !has(DENY_WRITE) })
    }

    fn by_password(&self, given: Option<&(String, Secret)>) -> Option<&str> {
        let (name, password) = given?;
        let (name, user) = self.users.get_key_value(name)?;
        (user.password == *password).then_some(name)
    }

    fn by_key(&self, given: Option<&str>) -> Option<&str> {
        let given = Secret::new(given?);
        self.keys.iter().find(|(key, _)| *key == given).map(|(_, user)| user.as_str())
    }

    fn by_token(&self, given: Option<&str>, now: Timestamp) -> Option<&str> {
        let given = Secret::new(given?);
        let fits =
            |(token, _, until): &&(Secret, String, Timestamp)| *token == given && now < *until;
        self.tokens.iter().find(fits).map(|(_, user, _)| user.as_str())
    }
}

fn credentials<'a>(request: &'a Request, scheme: &str) -> Option<&'a str> {
    let (named, rest) = request.authorization.as_deref()?.split_once(' ')?;
    (named.eq_ignore_ascii_case(scheme) && !rest.is_empty()).then_some(rest)
}

/// An empty name or password does not count as one.
fn password_of(encoded: &str) -> Option<(String, Secret)> {
    let text = String::from_utf8(BASE64.decode(encoded.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    let is_given = !name.is_empty() && !password.is_empty();
    is_given.then(|| (name.to_owned(), Secret::new(password)))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD as BASE64;
    use jiff::{Timestamp, ToSpan};

    use crate::simulator::pfsense::request::Request;
    use crate::simulator::pfsense::users::{ALL_PRIVILEGES, Users};
    use crate::simulator::pfsense::value::Value;
    use crate::value::Secret;

    const PRIVILEGE: &str = "api-v2-vpn-wireguard-tunnels-get";

    fn users() -> Users {
        let mut users = Users::default();
        users.set("admin", Secret::new("pfsense"), &[ALL_PRIVILEGES]);
        users.set("reader", Secret::new("r"), &[PRIVILEGE, "user-config-readonly"]);
        users.set("nobody", Secret::new("n"), &[]);
        users.add_key(Secret::new("key"), "reader");
        users.add_token(Secret::new("token"), "admin", Timestamp::UNIX_EPOCH + 1.hour());
        users
    }

    fn asked(users: &Users, request: &Request, methods: &[&str], now: Timestamp) -> String {
        let methods = Value::List(methods.iter().map(|it| (*it).into()).collect());
        match users.let_in(request, &methods, PRIVILEGE, now) {
            Ok(login) => format!("in, may write {}", login.may_write),
            Err(refused) => format!("{} {}", refused.status, refused.asks_password),
        }
    }

    #[test]
    fn the_method_has_to_be_enabled() {
        let (users, now) = (users(), Timestamp::UNIX_EPOCH);
        let header =
            |text: &str| Request { authorization: Some(text.to_owned()), ..Request::default() };
        let basic = |text: &str| header(&format!("Basic {}", BASE64.encode(text)));
        let key = |key: &str| Request { api_key: Some(key.to_owned()), ..Request::default() };
        let all = ["BasicAuth", "JWTAuth", "KeyAuth"];
        for (request, methods, answer) in [
            (Request::default(), &all[..], "401 false"),
            (basic("admin:pfsense"), &all, "in, may write true"),
            (basic("admin:wrong"), &all, "401 true"),
            (basic("admin:"), &all, "401 false"),
            (basic("nobody:n"), &all, "403 false"),
            (key("key"), &all, "in, may write false"),
            (key("other"), &all, "401 false"),
            (key("key"), &["BasicAuth"], "401 false"),
            (header("Bearer token"), &all, "in, may write true"),
            (header("bearer token"), &all, "in, may write true"),
            (header("Bearer other"), &all, "401 false"),
        ] {
            assert_eq!(asked(&users, &request, methods, now), answer);
        }
        let later = now + 1.hour();
        assert_eq!(asked(&users, &header("Bearer token"), &all, later), "401 false");
    }

    #[test]
    fn the_access_list_keeps_a_user_out() {
        let mut users = users();
        users.keep_out("reader");
        let request = Request { api_key: Some("key".to_owned()), ..Request::default() };
        assert_eq!(asked(&users, &request, &["KeyAuth"], Timestamp::UNIX_EPOCH), "403 false");
    }
}
