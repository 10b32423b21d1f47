//! Files of another host: they are listed, read, written and removed as whoever may, root where that is allowed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::actual::HostFile;
use crate::backend::linux::remote::script::{Step, Work};
use crate::backend::linux::remote::shell::{Script, Section, quoted};
use crate::backend::linux::remote::words;
use crate::simulator::linux::call::Refusal;

/// A hundred thousand peers, and then some; a file that is larger is something else.
const LARGEST: usize = 64 << 20;

/// Looks into directories, up to `--`, and files; of a directory of enabled units only the names matter. It is given the
/// mark and the functions, because it may run as somebody else. A file comes with its mode and its group in a line before
/// it; what is no file is an empty one.
const LOOK: &str = r#"M=$1; L=$2; eval "$3"; shift 3
list_() {
  [ -d "$1" ] || return 0
  ls "$1" >/dev/null || return
  for f in "$1"/* "$1"/.[!.]*; do
    case $f in *.wgform-new) continue;; esac
    if [ -f "$f" ]; then printf '%s/\n' "${f##*/}"; fi
  done
}
read_() {
  if [ -e "$1" ] && ! [ -f "$1" ]; then echo 600 root 0; return; fi
  stat -L -c '%a %G %g' "$1" && head -c "$L" "$1"
}
while [ "$1" != -- ]; do
  ask "directory $1" list_ "$1"
  for f in "$1"/* "$1"/.[!.]*; do
    case $f in *.wants/*) break;; esac
    if [ -f "$f" ]; then ask "file $f" read_ "$f"; fi
  done
  shift
done
shift
for f in "$@"; do ask "file $f" read_ "$f"; done"#;

/// Writes what comes in, whole or not at all: path, mode, group. A directory is made only for what is root's alone: one
/// that a service reads comes with that service.
const WRITE: &str = r#"umask 077; d=${1%/*}; n=$1.wgform-new
{ [ -n "$3" ] || mkdir -p "${d:-/}"; } && rm -f "$n" && cat >"$n" &&
{ [ -z "$3" ] || chgrp "$3" "$n"; } && chmod "$2" "$n" &&
{ sync "$n" 2>/dev/null || sync; } && mv -f "$n" "$1" && { sync "${d:-/}" 2>/dev/null || sync; } && exit 0
c=$?; rm -f "$n"; exit $c"#;

/// Removes a file, so that it does not come back with a power cut.
const REMOVE: &str = r#"d=${1%/*}; rm "$1" && { sync "${d:-/}" 2>/dev/null || sync; }"#;

/// Writes the commands whose answers [`listed`] and [`read`] understand: for each directory one of its own and one for
/// each of its files whose text matters, and one for each file.
pub(crate) fn ask(script: &mut Script, directories: &BTreeSet<PathBuf>, files: &BTreeSet<PathBuf>) {
    if directories.is_empty() && files.is_empty() {
        return;
    }
    let words = |paths: &BTreeSet<PathBuf>| -> String {
        paths.iter().map(|path| format!(" {}", path_quoted(path))).collect()
    };
    script.line(&format!(
        "$A {} sh \"$M\" {LARGEST} \"$F\"{} --{} </dev/null 2>/dev/null",
        quoted(LOOK),
        words(directories),
        words(files),
    ));
}

/// Reads the files in a directory; none without one.
pub(crate) fn listed(path: &str, section: &Section) -> Result<Vec<PathBuf>, Refusal> {
    if section.status != 0 {
        return Err(words::of_file(&section.complaint));
    }
    // A name can hold anything but a slash, line ends too.
    let names = section.output.split("/\n").filter(|name| !name.is_empty());
    Ok(names.map(|name| Path::new(path).join(name)).collect())
}

/// Reads a file; none without one.
pub(crate) fn read(section: &Section) -> Result<Option<HostFile>, Refusal> {
    if section.status != 0 {
        return match words::of_file(&section.complaint) {
            Refusal::Errno(Errno::NOENT) => Ok(None),
            refusal => Err(refusal),
        };
    }
    let not_understood = || {
        Refusal::said(
            "`stat` on the host is not understood",
            "install the package `coreutils` there",
        )
    };
    let (head, text) = section.output.split_once('\n').ok_or_else(not_understood)?;
    let words: Vec<&str> = head.split(' ').collect();
    let [mode, group, number] = words[..] else { return Err(not_understood()) };
    let group = match (group, number) {
        (_, "0") => None,
        ("UNKNOWN", number) => Some(number.to_owned()),
        (name, _) => Some(name.to_owned()),
    };
    let mode = u32::from_str_radix(mode, 8).map_err(|_| not_understood())?;
    Ok(Some(HostFile { text: Zeroizing::new(text.to_owned()), mode, group }))
}

/// Writes a file, whole or not at all.
pub(crate) fn write(path: &Path, HostFile { text, mode, group }: &HostFile) -> Step {
    let group = quoted(group.as_deref().unwrap_or_default());
    let line = format!("$A {} sh {} {mode:o} {group}", quoted(WRITE), path_quoted(path));
    let input = Some(text.clone());
    Step::new(Work::Line { line, input, has_links: false }, &[], words::of_file).of_file(path)
}

/// Removes a file.
pub(crate) fn remove(path: &Path) -> Step {
    let line = format!("$A {} sh {}", quoted(REMOVE), path_quoted(path));
    Step::new(Work::Line { line, input: None, has_links: false }, &[], words::of_file).of_file(path)
}

fn path_quoted(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use crate::backend::linux::remote::files::read;
    use crate::backend::linux::remote::shell::Section;
    use crate::simulator::linux::call::Refusal;

    fn section(status: i32, output: &str, complaint: &str) -> Section {
        Section {
            name: "file /x".to_owned(),
            status,
            output: output.to_owned().into(),
            complaint: complaint.to_owned(),
        }
    }

    #[test]
    fn a_file_comes_with_its_mode_and_its_group() {
        let shown = |output: &str| {
            let file = read(&section(0, output, "")).unwrap().unwrap();
            (file.mode, file.group, file.text.to_string())
        };
        assert_eq!(shown("600 root 0\nkey\n"), (0o600, None, "key\n".to_owned()));
        let network = Some("systemd-network".to_owned());
        assert_eq!(shown("640 systemd-network 998\n"), (0o640, network, String::new()));
        assert_eq!(shown("640 UNKNOWN 77\n\nx").1.as_deref(), Some("77"));
        assert!(read(&section(0, "nonsense", "")).is_err());
    }

    #[test]
    fn a_file_that_is_not_there_is_none_and_one_that_cannot_be_read_says_the_way_out() {
        let gone = section(1, "", "stat: cannot statx '/x': No such file or directory");
        assert_eq!(read(&gone).unwrap(), None);
        let closed =
            section(1, "600 root 0\n", "head: cannot open '/x' for reading: Permission denied");
        let Err(Refusal::Said { reason, hints }) = read(&closed) else { panic!("it was read") };
        assert_eq!(reason, "this user may not read or write that file on the host");
        assert!(hints[0].contains("sudo"), "{hints:?}");
    }
}
