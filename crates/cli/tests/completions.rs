//! What shells and `man` know of the command.

mod common;

use std::process::Command;

use common::{below, promptsrc, scratch};

/// Output of a program with a file as its last argument; `None` where there is no such program.
fn checked(program: &str, args: &[&str]) -> Option<std::process::Output> {
    let output = Command::new(program).args(args).output();
    match output {
        Ok(output) => Some(output),
        Err(_) => {
            println!("skipped: there is no {program}");
            None
        }
    }
}

#[test]
fn each_shell_has_a_script_that_knows_commands_and_options() {
    let folder = scratch();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = promptsrc(&["completions", shell]).done().stdout;
        for word in ["serve", "train", "top-k", "token-file"] {
            assert!(script.contains(word), "{shell}: no {word}");
        }
        let file = below(folder.path(), shell);
        std::fs::write(&file, &script).expect("a file");
        // Those that have a way to read a script without executing it.
        if ["bash", "zsh", "fish"].contains(&shell)
            && let Some(output) = checked(shell, &["-n", &file])
        {
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success() && error.is_empty(),
                "{shell}: {error}"
            );
        }
    }
    promptsrc(&["completions", "csh"])
        .fails(2, &["bash", "powershell"])
        .silent();
}

#[test]
fn bash_completes_a_command_and_an_option() {
    let folder = scratch();
    let script = promptsrc(&["completions", "bash"]).done().stdout;
    let file = below(folder.path(), "script");
    std::fs::write(&file, script).expect("a file");
    let completed = |words: &str, place: usize| {
        let line = format!(
            ". {file}; COMP_WORDS=({words}); COMP_CWORD={place}; _promptsrc promptsrc \"${{COMP_WORDS[{place}]}}\" \
             \"${{COMP_WORDS[{}]}}\"; echo \"${{COMPREPLY[@]}}\"",
            place - 1
        );
        let output = checked("bash", &["-c", &line])?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    if let Some(found) = completed("promptsrc ser", 1) {
        assert_eq!(found, "serve");
        assert_eq!(
            completed("promptsrc serve --max-bo", 2).as_deref(),
            Some("--max-body")
        );
    }
}

#[test]
fn each_command_has_a_page() {
    let folder = scratch();
    let out = below(folder.path(), "man");
    let written = promptsrc(&["man", "--out", &out, "--json"]).done().json();
    let pages = written["pages"].as_array().expect("pages");
    let pages: Vec<&str> = pages.iter().filter_map(|page| page.as_str()).collect();
    for page in [
        "promptsrc.1",
        "promptsrc-serve.1",
        "promptsrc-train.1",
        "promptsrc-bench-base-to-novel.1",
    ] {
        assert!(pages.contains(&page), "{page} in {pages:?}");
    }
    for page in pages {
        let file = below(&out, page);
        let text = std::fs::read_to_string(&file).expect("a page");
        let title = format!(".TH {}", page.trim_end_matches(".1"));
        assert!(text.contains(&title), "{page}: no {title:?}");
        if let Some(output) = checked("man", &["--warnings", "-l", "-Tutf8", &file]) {
            let error = String::from_utf8_lossy(&output.stderr);
            assert!(
                output.status.success() && error.is_empty(),
                "{page}: {error}"
            );
        }
    }
    let occupied = below(folder.path(), "file");
    std::fs::write(&occupied, "").expect("a file");
    promptsrc(&["man", "--out", &occupied])
        .fails(1, &["--out"])
        .silent();
}
