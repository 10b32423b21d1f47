//! Which hosts are this machine: what is sent to them in clear is seen by nobody.

use std::net::IpAddr;

/// Returns whether a host is this machine.
pub(super) fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use crate::store::remote::here::is_loopback;

    #[test]
    fn only_this_machine_is_this_machine() {
        for here in ["localhost", "127.0.0.1", "127.8.9.1", "::1", "[::1]"] {
            assert!(is_loopback(here), "{here}");
        }
        for elsewhere in ["127.0.0.1.example.com", "localhost.example.com", "10.0.0.1", ""] {
            assert!(!is_loopback(elsewhere), "{elsewhere}");
        }
    }
}
