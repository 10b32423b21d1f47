//! The router's own log, as far as its REST service writes it: who has logged in, and who could not.

use jiff::Timestamp;

use crate::simulator::routeros::request::Fields;
use crate::simulator::routeros::value::print_id;

/// How many lines a router keeps in its memory.
const LINES: usize = 1000;

/// The last lines. They are gone when the router starts again.
#[derive(Default)]
pub(super) struct Log {
    written: u64,
    lines: Vec<Fields>,
}

impl Log {
    /// Notes that a session was opened for a user. Requests within it are not noted.
    pub(super) fn session(&mut self, user: &str, now: Timestamp) {
        let message = format!("user {user} logged in from 127.0.0.1 via rest-api");
        self.write("system,info,account", message, now);
    }

    /// Notes that a user was not let in.
    pub(super) fn refusal(&mut self, user: &str, now: Timestamp) {
        let message = format!("login failure for user {user} from 127.0.0.1 via rest-api");
        self.write("system,error,critical", message, now);
    }

    /// Returns the lines as `/log` prints them.
    pub(super) fn print(&self) -> Vec<Fields> {
        self.lines.clone()
    }

    fn write(&mut self, topics: &str, message: String, now: Timestamp) {
        self.written += 1;
        let time = now.to_string();
        let time = time.get(..19).unwrap_or_default().replace('T', " ");
        let texts = [
            (".id", print_id(self.written)),
            ("time", time),
            ("topics", topics.to_owned()),
            ("message", message),
        ];
        let texts = texts.into_iter().map(|(name, text)| (name.to_owned(), text.into_bytes()));
        self.lines.push(texts.collect());
        self.lines.drain(..self.lines.len().saturating_sub(LINES));
    }
}
