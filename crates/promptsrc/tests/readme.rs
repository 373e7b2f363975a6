//! The example of README.md, compiled, run, and the same text.

use std::path::Path;

fn example() -> Result<(), Box<dyn std::error::Error>> {
    // README begins.
    use promptsrc::{Clip, Dataset, TrainConfig};

    let clip = Clip::open("mini")?; // or "ViT-B/16", a weight file, a folder
    let data = Dataset::open("examples/images")?.few_shot(4, 1).base()?;
    let config = TrainConfig::of("promptsrc", &clip, &data)?; // as `promptsrc train` has it
    let adapter = config.train(&clip, &data, |event| println!("{event:?}"))?;
    adapter.save("runs/adapter.safetensors".as_ref())?;

    let classifier = adapter.classifier(&clip, &["yellow star", "green triangle"])?;
    for prediction in classifier.predict(&["examples/images/yellow_star/yellow_star_12.jpg"])? {
        println!("{}: {}", prediction.path.display(), prediction.name());
    }
    // README ends.
    assert_eq!(classifier.names().len(), 2);
    Ok(())
}

#[test]
fn the_example_of_the_readme_runs_and_is_this_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let readme = std::fs::read_to_string(root.join("README.md")).expect("a README");
    let (_, rest) = include_str!("readme.rs")
        .split_once("// README begins.\n")
        .expect("a beginning");
    let (code, _) = rest.split_once("    // README ends.").expect("an end");
    let code: Vec<&str> = code
        .lines()
        .map(|line| line.strip_prefix("    ").unwrap_or(line))
        .collect();
    let (_, block) = readme.split_once("```rust\n").expect("an example");
    let (block, _) = block.split_once("```").expect("an end");
    assert_eq!(block.lines().collect::<Vec<_>>(), code);
    let lines = code.iter().filter(|line| !line.trim().is_empty());
    let imports = code.iter().filter(|line| line.starts_with("use ")).count();
    assert!(lines.count() - imports <= 12);

    // It writes into the folder that it runs in.
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir_all(folder.path().join("runs")).expect("a folder");
    copy(&root.join("examples"), &folder.path().join("examples"));
    std::env::set_current_dir(folder.path()).expect("a folder");
    example().unwrap_or_else(|e| panic!("{e}"));
    assert!(folder.path().join("runs/adapter.safetensors").exists());
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        match entry.path().is_dir() {
            true => copy(&entry.path(), &to),
            false => drop(std::fs::copy(entry.path(), to).expect("a copy")),
        }
    }
}
