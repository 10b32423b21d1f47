//! Streams in memory: what a test gives a command in place of a terminal.

use std::io::{self, Cursor, Write};
use std::sync::{Arc, Mutex, PoisonError};

use crate::ui::live::Window;
use crate::ui::streams::{Output, Streams};

/// What was written so far. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// Takes what was written.
    pub fn take(&self) -> String {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Streams {
    /// Makes streams that are no terminals, with an input, and returns what will be on stdout and stderr.
    pub fn in_memory(stdin: impl Into<Vec<u8>>) -> (Self, Captured, Captured) {
        let (stdout, stderr) = (Captured::default(), Captured::default());
        let output =
            |captured: &Captured| Output { writer: Box::new(captured.clone()), is_terminal: false };
        let streams = Self {
            stdout: output(&stdout),
            stderr: output(&stderr),
            stdin: Box::new(Cursor::new(stdin.into())),
            stdin_is_terminal: false,
            width: None,
            window: Box::new(|| Window { columns: None, rows: None, is_ours: true }),
        };
        (streams, stdout, stderr)
    }
}
