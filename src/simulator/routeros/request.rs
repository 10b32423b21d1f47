//! A request and its reply without a socket, and the reasons for which a router refuses one.

use std::collections::BTreeMap;

/// What a client asks.
#[derive(Clone, Default)]
pub struct Request {
    /// The HTTP method.
    pub method: String,
    /// The path as it was sent, nothing in it decoded: `/rest/interface`.
    pub path: String,
    /// What follows the `?`, as it was sent.
    pub query: String,
    /// The header `Authorization`.
    pub authorization: Option<String>,
    /// The header `Content-Type`.
    pub content_type: Option<String>,
    /// The body.
    pub body: Vec<u8>,
}

/// What the router answers.
#[derive(Clone, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// The headers but those of the transport.
    pub headers: Vec<(&'static str, String)>,
    /// The body; not always UTF-8, and not always JSON.
    pub body: Vec<u8>,
    /// How many objects are in it.
    pub rows: usize,
}

/// The properties of one object as a reply has them, by name.
pub(super) type Fields = BTreeMap<String, Vec<u8>>;

/// What a command gives.
pub(super) enum Answer {
    /// Several objects.
    List(Vec<Fields>),
    /// One object.
    One(Fields),
    /// The object that was made, and where it is.
    Made(Fields, String),
    /// Nothing to say.
    Gone,
}

/// A router refuses a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refused {
    pub(super) status: u16,
    pub(super) detail: Option<String>,
}

impl Refused {
    fn new(status: u16, detail: impl Into<String>) -> Self {
        Self { status, detail: Some(detail.into()) }
    }

    /// Says what a command said.
    pub(super) fn bad(detail: impl Into<String>) -> Self {
        Self::new(400, detail)
    }

    pub(super) fn plain(status: u16) -> Self {
        Self { status, detail: None }
    }

    pub(super) fn not_found() -> Self {
        Self::plain(404)
    }

    pub(super) fn no_api() -> Self {
        Self::new(500, "std failure: not allowed (9)")
    }

    pub(super) fn not_permitted() -> Self {
        Self::new(500, "not enough permissions (9)")
    }

    pub(super) fn no_identifier() -> Self {
        Self::bad("missing or invalid resource identifier")
    }

    pub(super) fn no_command() -> Self {
        Self::bad("no such command")
    }

    pub(super) fn no_prefix() -> Self {
        Self::bad("no such command prefix")
    }

    pub(super) fn no_directory(word: &str) -> Self {
        Self::bad(format!("no such command or directory ({word})"))
    }

    pub(super) fn unknown(argument: &str) -> Self {
        Self::bad(format!("unknown parameter {argument}"))
    }

    pub(super) fn missing(argument: &str) -> Self {
        Self::bad(format!("missing ={argument}="))
    }

    pub(super) fn invalid(argument: &str) -> Self {
        Self::bad(format!("invalid value for argument {argument}"))
    }

    pub(super) fn out_of_range(argument: &str, from: &str, to: &str) -> Self {
        Self::bad(format!("value of {argument} out of range ({from}..{to})"))
    }

    pub(super) fn not_yes_or_no(argument: &str) -> Self {
        Self::bad(format!("{argument} must be either yes or no"))
    }

    pub(super) fn no_match(argument: &str) -> Self {
        Self::bad(format!("input does not match any value of {argument}"))
    }

    pub(super) fn entry_exists() -> Self {
        Self::bad("failure: entry already exists")
    }

    pub(super) fn no_json() -> Self {
        Self::bad("Failed to parse json")
    }

    pub(super) fn session_closed() -> Self {
        Self::bad("Session closed")
    }
}

impl From<Refused> for Reply {
    fn from(Refused { status, detail }: Refused) -> Self {
        let message = match status {
            400 => "Bad Request",
            401 => "Unauthorized",
            404 => "Not Found",
            415 => "Unsupported Media Type",
            501 => "Not Implemented",
            503 => "Service Unavailable",
            _ => "Internal Server Error",
        };
        let mut body = b"{".to_vec();
        if let Some(detail) = detail {
            body.extend_from_slice(b"\"detail\":");
            write_text(&mut body, detail.as_bytes());
            body.push(b',');
        }
        body.extend_from_slice(
            format!("\"error\":{status},\"message\":\"{message}\"}}").as_bytes(),
        );
        let mut reply = Self { status, headers: json(), body, rows: 0 };
        if status == 401 {
            reply.headers.push(("www-authenticate", "Basic".to_owned()));
        }
        reply
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        let (status, rows, body) = match &answer {
            Answer::List(rows) => (200, rows.len(), list(rows)),
            Answer::One(row) => (200, 1, one(row)),
            Answer::Made(row, _) => (201, 1, one(row)),
            Answer::Gone => {
                return Self { status: 204, headers: Vec::new(), body: Vec::new(), rows: 0 };
            }
        };
        let mut headers = json();
        if let Answer::Made(_, location) = answer {
            headers.push(("location", location));
        }
        Self { status, headers, body, rows }
    }
}

impl Reply {
    /// Answers with a page for people, as a proxy or a web server that does not serve REST does.
    pub(super) fn html(status: u16) -> Self {
        let body =
            format!("<html><head><title>{status}</title></head><body>Error {status}</body></html>");
        let headers = vec![("content-type", "text/html".to_owned())];
        Self { status, headers, body: body.into_bytes(), rows: 0 }
    }
}

fn json() -> Vec<(&'static str, String)> {
    vec![("content-type", "application/json".to_owned())]
}

fn list(rows: &[Fields]) -> Vec<u8> {
    let mut body = b"[".to_vec();
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        write_row(&mut body, row);
    }
    body.push(b']');
    body
}

fn one(row: &Fields) -> Vec<u8> {
    let mut body = Vec::new();
    write_row(&mut body, row);
    body
}

fn write_row(body: &mut Vec<u8>, row: &Fields) {
    body.push(b'{');
    for (index, (name, value)) in row.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        write_text(body, name.as_bytes());
        body.push(b':');
        write_text(body, value);
    }
    body.push(b'}');
}

/// Writes a text as RouterOS does: bytes as they are, with only these few escaped. Other control characters come raw,
/// and so does what is not UTF-8.
fn write_text(body: &mut Vec<u8>, text: &[u8]) {
    body.push(b'"');
    for byte in text {
        match byte {
            b'"' => body.extend_from_slice(b"\\\""),
            b'\\' => body.extend_from_slice(b"\\\\"),
            b'\n' => body.extend_from_slice(b"\\n"),
            b'\r' => body.extend_from_slice(b"\\r"),
            b'\t' => body.extend_from_slice(b"\\t"),
            other => body.push(*other),
        }
    }
    body.push(b'"');
}

#[cfg(test)]
mod tests {
    use crate::simulator::routeros::request::{Answer, Fields, Refused, Reply};

    fn shown(reply: &Reply) -> String {
        format!("{} {}", reply.status, String::from_utf8_lossy(&reply.body))
    }

    #[test]
    fn an_error_has_the_shape_that_the_router_gives_it() {
        assert_eq!(
            shown(&Refused::not_found().into()),
            r#"404 {"error":404,"message":"Not Found"}"#
        );
        assert_eq!(
            shown(&Refused::no_api().into()),
            r#"500 {"detail":"std failure: not allowed (9)","error":500,"message":"Internal Server Error"}"#
        );
        let reply = Reply::from(Refused::plain(401));
        assert_eq!(shown(&reply), r#"401 {"error":401,"message":"Unauthorized"}"#);
        assert_eq!(reply.headers[1], ("www-authenticate", "Basic".to_owned()));
    }

    #[test]
    fn bytes_of_a_text_are_as_they_are() {
        let row = Fields::from([("comment".to_owned(), b"a\x01\"\\\n\xe9".to_vec())]);
        assert_eq!(
            Reply::from(Answer::List(vec![row])).body,
            b"[{\"comment\":\"a\x01\\\"\\\\\\n\xe9\"}]"
        );
    }
}
