//! `wgform fmt`: one file for each rule in `testdata/fmt`, read by people, and the command with its flags.

#![expect(clippy::disallowed_methods, reason = "these tests run the program and look at files")]
#![expect(clippy::unwrap_used, reason = "tests")]

mod harness;

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use harness::{Project, Ran};
use wgform::format::formatted;

const UGLY: &str = "a{\nb=1\n}\n";
const PRETTY: &str = "a {\n  b = 1\n}\n";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the files below a directory that have such a name.
fn files(directory: &Path, is_wanted: fn(&str) -> bool) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path(), is_wanted));
        } else if is_wanted(&name) {
            found.push(entry.path());
        }
    }
    found.sort();
    found
}

#[test]
fn each_rule_lays_out_its_file() {
    let bless = std::env::var_os("WGFORM_BLESS").is_some();
    let inputs = files(&root().join("testdata/fmt"), |name| name.contains(".in."));
    assert!(inputs.len() > 5);
    for input in inputs {
        let expected = PathBuf::from(input.to_str().unwrap().replace(".in.", "."));
        let text = formatted(&fs::read_to_string(&input).unwrap()).unwrap();
        hcl_edit::parser::parse_body(&text).unwrap();
        if bless {
            fs::write(&expected, &text).unwrap();
        }
        assert_eq!(text, fs::read_to_string(&expected).unwrap(), "{}", input.display());
    }
}

#[test]
fn the_files_of_this_repository_are_laid_out() {
    let is_wanted = |name: &str| name.ends_with(".hcl") && !name.contains(".in.");
    let mut all = files(&root().join("examples"), is_wanted);
    all.extend(files(&root().join("testdata"), is_wanted));
    all.extend(files(&root().join("tests"), is_wanted));
    assert!(all.len() > 10);
    for file in all {
        let text = fs::read_to_string(&file).unwrap();
        if hcl_edit::parser::parse_body(&text).is_ok() {
            assert_eq!(formatted(&text).unwrap(), text, "{}", file.display());
        }
    }
}

/// Says how a run ended, on which streams.
fn story(ran: &Ran) -> String {
    let Ran { arguments, code, stdout, stderr, .. } = ran;
    let mut story = format!("wgform {arguments} -> {}\n{stdout}", code.unwrap());
    if !stderr.is_empty() {
        story += &format!("stderr:\n{stderr}");
    }
    story
}

fn tree() -> Project {
    let project = Project::new(UGLY);
    project.add("fine.wg.hcl", PRETTY);
    project.add("x.wgvars.hcl", "c=\"2\"\n");
    project.add("notes.hcl", UGLY);
    project.add(".hidden.wg.hcl", UGLY);
    for directory in ["site", "site/below", ".wgform"] {
        fs::create_dir(project.path().join(directory)).unwrap();
        project.add(&format!("{directory}/y.wg.hcl"), UGLY);
    }
    project
}

fn read(project: &Project, name: &str) -> String {
    fs::read_to_string(project.path().join(name)).unwrap()
}

#[test]
fn the_files_of_the_directory_are_laid_out_and_those_that_changed_are_named() {
    let project = tree();
    assert_eq!(story(&project.run("fmt")), "wgform fmt -> 0\nmain.wg.hcl\nx.wgvars.hcl\n");
    assert_eq!(read(&project, "main.wg.hcl"), PRETTY);
    assert_eq!(read(&project, "x.wgvars.hcl"), "c = \"2\"\n");
    assert_eq!(read(&project, "notes.hcl"), UGLY);
    assert_eq!(read(&project, "site/y.wg.hcl"), UGLY);
    assert_eq!(story(&project.run("fmt")), "wgform fmt -> 0\n");
    assert_eq!(
        story(&project.run("fmt -recursive")),
        "wgform fmt -recursive -> 0\nsite/below/y.wg.hcl\nsite/y.wg.hcl\n"
    );
    for hidden in [".hidden.wg.hcl", ".wgform/y.wg.hcl"] {
        assert_eq!(read(&project, hidden), UGLY);
    }
    assert_eq!(
        project.run("fmt .hidden.wg.hcl .wgform").stdout,
        ".hidden.wg.hcl\n.wgform/y.wg.hcl\n"
    );
}

#[test]
fn a_directory_and_a_file_may_be_named() {
    let project = tree();
    let ran = project.run("-chdir=site fmt below ../main.wg.hcl");
    assert_eq!(
        story(&ran),
        "wgform -chdir=site fmt below ../main.wg.hcl -> 0\nbelow/y.wg.hcl\n../main.wg.hcl\n"
    );
    assert_eq!(read(&project, "main.wg.hcl"), PRETTY);
    assert_eq!(read(&project, "site/y.wg.hcl"), UGLY);
}

#[test]
fn a_check_writes_nothing_and_ends_with_3() {
    let project = tree();
    insta::assert_snapshot!(story(&project.run("fmt -check -diff main.wg.hcl fine.wg.hcl")), @r"
    wgform fmt -check -diff main.wg.hcl fine.wg.hcl -> 3
    main.wg.hcl
    --- old/main.wg.hcl
    +++ new/main.wg.hcl
    @@ -1,3 +1,3 @@
    -a{
    -b=1
    +a {
    +  b = 1
     }
    ");
    assert_eq!(
        story(&project.run("fmt -check -list=false")),
        "wgform fmt -check -list=false -> 3\n"
    );
    assert_eq!(
        story(&project.run("fmt -check fine.wg.hcl")),
        "wgform fmt -check fine.wg.hcl -> 0\n"
    );
    assert_eq!(read(&project, "main.wg.hcl"), UGLY);
}

#[test]
fn nothing_is_written_or_listed_when_it_shall_not_be() {
    let project = tree();
    assert_eq!(project.run("fmt -write=false").stdout, "main.wg.hcl\nx.wgvars.hcl\n");
    assert_eq!(
        project.run("fmt -write=false -list=false main.wg.hcl fine.wg.hcl").stdout,
        format!("{PRETTY}{PRETTY}")
    );
    assert_eq!(read(&project, "main.wg.hcl"), UGLY);
    assert_eq!(story(&project.run("fmt -list=false")), "wgform fmt -list=false -> 0\n");
    assert_eq!(read(&project, "main.wg.hcl"), PRETTY);
}

#[test]
fn standard_input_is_laid_out_to_stdout() {
    let project = Project::new(UGLY);
    assert_eq!(
        story(&project.run_with("fmt -", "\u{feff}a=1\r\n")),
        "wgform fmt - -> 0\na = 1\r\n"
    );
    assert_eq!(story(&project.run_with("fmt -", "")), "wgform fmt - -> 0\n");
    assert_eq!(story(&project.run_with("fmt -check -", UGLY)), "wgform fmt -check - -> 3\n");
    assert_eq!(story(&project.run_with("fmt -check -", PRETTY)), "wgform fmt -check - -> 0\n");
    let ran = project.run_with("fmt -diff -", "a=1");
    assert_eq!(
        ran.stdout,
        "--- old/<stdin>\n+++ new/<stdin>\n@@ -1 +1 @@\n-a=1\n\\ No newline at end of file\n+a = 1\n"
    );
    let ran = project.run_with("fmt - main.wg.hcl", UGLY);
    assert_eq!((ran.code, read(&project, "main.wg.hcl").as_str()), (Some(1), UGLY));
    assert!(
        ran.stderr.starts_with("Error: standard input and files cannot be laid out together\n")
    );
}

#[test]
fn a_file_with_a_mistake_is_left_and_the_others_are_laid_out() {
    let project = Project::new("a {\nb=\n}\n");
    project.add("fine.wg.hcl", UGLY);
    fs::write(project.path().join("latin.wg.hcl"), b"a=1\n# \xe9\n").unwrap();
    project.add("quote.wg.hcl", "a=\"b\nc\"\n");
    project.add("notes.hcl", UGLY);
    symlink("gone", project.path().join("dangling.wg.hcl")).unwrap();
    insta::assert_snapshot!(story(&project.run("fmt -check . gone notes.hcl")), @r#"
    wgform fmt -check . gone notes.hcl -> 1
    fine.wg.hcl
    stderr:
      × argument without a value
       ╭─[main.wg.hcl:2:2]
     2 │ b=
       ·  ┬
       ·  ╰── a value has to follow
       ╰────
      help: Write a value behind it, or `null` to leave it unset.

      × quoted text over several lines
       ╭─[quote.wg.hcl:1:3]
     1 │ a="b
       ·   ┬
       ·   ╰── it is not closed in this line
       ╰────
      help: Write `\n` where a new line starts, or the whole text as a heredoc.

    2 errors
    Error: could not read `dangling.wg.hcl`
      cause: No such file or directory (os error 2)

      help: Check that it is there, and that you may read it.
    Error: there is no file or directory `gone`

      help: A path is relative to the working directory, or to `-chdir`.
    Error: `notes.hcl` is not a file of a configuration

      help: These end in `.wg.hcl` or, with values of variables, in `.wgvars.hcl`.
    Error: could not read `latin.wg.hcl`: line 2 is not UTF-8

      help: Save the file as UTF-8.
    "#);
    assert_eq!(project.run("fmt").stdout, "fine.wg.hcl\n");
    assert_eq!(read(&project, "main.wg.hcl"), "a {\nb=\n}\n");
    assert_eq!(read(&project, "fine.wg.hcl"), PRETTY);
    let alone = Project::new("a {\nb=\n}\n");
    assert_eq!(alone.run("fmt").stderr, alone.run("validate").stderr);
}

#[test]
fn a_diff_holds_no_secret() {
    let key = "yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=";
    let project = Project::new(&format!(
        "locals {{\nelsewhere=\"{key}\"\n}}\nvariable \"p\" {{\nsensitive=true\ndefault=\"hunter2\"\n}}\n\
         peer \"a\" {{\nname=\"a\"\npreshared_key=\"short\"\n}}\n"
    ));
    project.add("site.wgvars.hcl", "p=\"hunter3\"\n");
    let ran = project.run("fmt -diff -write=false -list=false");
    for secret in [key, "hunter", "short"] {
        assert!(!ran.stdout.contains(secret), "{}", ran.stdout);
    }
    insta::assert_snapshot!(ran.stdout, @r#"
    --- old/main.wg.hcl
    +++ new/main.wg.hcl
    @@ -1,11 +1,11 @@
     locals {
    -elsewhere="********************************************"
    +  elsewhere = "********************************************"
     }
     variable "p" {
    -sensitive=true
    -default="*******"
    +  sensitive = true
    +  default   = "*******"
     }
     peer "a" {
    -name="a"
    -preshared_key="*****"
    +  name          = "a"
    +  preshared_key = "*****"
     }
    --- old/site.wgvars.hcl
    +++ new/site.wgvars.hcl
    @@ -1 +1 @@
    -p="*******"
    +p = "*******"
    "#);
}

#[test]
fn a_file_keeps_what_it_is_and_only_its_text_changes() {
    let project = Project::new(PRETTY);
    let path = |name: &str| project.path().join(name);
    project.add("target.txt", UGLY);
    symlink("target.txt", path("link.wg.hcl")).unwrap();
    fs::create_dir(path("elsewhere")).unwrap();
    project.add("elsewhere/z.wg.hcl", UGLY);
    symlink("elsewhere", path("linked")).unwrap();
    fs::set_permissions(path("target.txt"), Permissions::from_mode(0o640)).unwrap();
    let before = fs::metadata(path("main.wg.hcl")).unwrap();
    assert_eq!(project.run("fmt -recursive").stdout, "elsewhere/z.wg.hcl\nlink.wg.hcl\n");
    assert!(fs::symlink_metadata(path("link.wg.hcl")).unwrap().is_symlink());
    assert_eq!(read(&project, "target.txt"), PRETTY);
    assert_eq!(fs::metadata(path("target.txt")).unwrap().permissions().mode() & 0o777, 0o640);
    // What is right is not written anew, and nothing is left behind.
    assert_eq!(fs::metadata(path("main.wg.hcl")).unwrap().ino(), before.ino());
    let mut names = project.names();
    names.sort();
    assert_eq!(names, ["elsewhere", "link.wg.hcl", "linked", "main.wg.hcl", "target.txt"]);
    assert_eq!(project.run("fmt linked").stdout, "");
}
