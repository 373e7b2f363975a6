//! Weights from a hub, and from one that means harm: a server on this machine that answers as it is told.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Ending, below, golden, image, scratch, shell};
use sha2::{Digest, Sha256};

/// A request as the server saw it: path, and headers under lower-case names.
#[derive(Clone, Debug)]
struct Asked {
    path: String,
    headers: BTreeMap<String, String>,
}

/// A server that notes what it is asked.
struct Hub {
    endpoint: String,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Hub {
    fn new(answer: impl Fn(&Asked, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("its address"));
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (answer, notes) = (Arc::new(answer), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, notes) = (Arc::clone(&answer), Arc::clone(&notes));
                std::thread::spawn(move || serve(stream, &*answer, &notes));
            }
        });
        Self { endpoint, asked }
    }

    fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("nobody panicked").clone()
    }
}

fn serve(
    mut stream: TcpStream,
    answer: &dyn Fn(&Asked, &mut TcpStream),
    notes: &Mutex<Vec<Asked>>,
) {
    let mut lines = BufReader::new(stream.try_clone().expect("a second handle")).lines();
    let Some(Ok(first)) = lines.next() else {
        return;
    };
    let path = first.split(' ').nth(1).unwrap_or_default().to_string();
    let headers = lines
        .map_while(Result::ok)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| {
            let (name, value) = line.split_once(':')?;
            Some((name.to_lowercase(), value.trim().to_string()))
        })
        .collect();
    let asked = Asked { path, headers };
    notes.lock().expect("nobody panicked").push(asked.clone());
    answer(&asked, &mut stream);
}

/// Sends an answer with these headers.
fn send(stream: &mut TcpStream, status: &str, headers: &[(&str, &str)], body: &[u8]) {
    let mut head = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    // The other side may have gone: that is for it to say.
    let _ = stream.write_all(format!("{head}\r\n").as_bytes());
    let _ = stream.write_all(body);
}

/// The files of a small CLIP as Hugging Face has them.
fn files() -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(golden("formats/d_hf"))
        .expect("its files")
        .flatten()
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).expect("a file"))
        })
        .collect()
}

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How the hub describes a model with these files; weights with their checksum.
fn description(commit: &str, files: &BTreeMap<String, Vec<u8>>) -> Vec<u8> {
    let sibling = |(name, bytes): (&String, &Vec<u8>)| match name.ends_with(".safetensors") {
        true => serde_json::json!({
            "rfilename": name,
            "lfs": {"sha256": sha256(bytes), "size": bytes.len()},
        }),
        false => serde_json::json!({ "rfilename": name }),
    };
    let siblings: Vec<_> = files.iter().map(sibling).collect();
    serde_json::json!({"sha": commit, "siblings": siblings})
        .to_string()
        .into_bytes()
}

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// An honest hub's answer.
fn honest(asked: &Asked, stream: &mut TcpStream) {
    let files = files();
    if asked.path.starts_with("/api/models/a/clip/") {
        send(stream, "200 OK", &[], &description(COMMIT, &files));
        return;
    }
    let name = asked.path.rsplit('/').next().unwrap_or_default();
    let Some(bytes) = files.get(name) else {
        send(stream, "404 Not Found", &[], b"");
        return;
    };
    let etag = format!("\"{}\"", sha256(bytes));
    let range = asked.headers.get("range").and_then(|range| {
        let first = range.strip_prefix("bytes=")?.strip_suffix('-')?;
        first.parse::<usize>().ok()
    });
    match range {
        None => send(stream, "200 OK", &[("ETag", &etag)], bytes),
        Some(first) => {
            let span = format!("bytes {first}-{}/{}", bytes.len() - 1, bytes.len());
            let headers = [("ETag", &*etag), ("Content-Range", &span)];
            send(stream, "206 Partial Content", &headers, &bytes[first..]);
        }
    }
}

/// Takes an image through the model `a/clip` of a hub, with a folder for Hugging Face's files and more of the
/// environment.
fn embed(endpoint: &str, home: &str, environment: &str) -> Ending {
    let script = format!(
        "export HF_ENDPOINT=\"$1\" HF_HOME=\"$2\" HF_HUB_OFFLINE=0 HF_HUB_DOWNLOAD_TIMEOUT=2 {environment}; \
         exec \"$0\" embed --clip a/clip --images \"$3\" --force --out \"$2\"/hub/features.safetensors"
    );
    shell(&script, &[endpoint, home, &image()])
}

fn all_files(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            true => found.extend(all_files(&entry.path())),
            false => found.push(entry.path().display().to_string()),
        }
    }
    found.sort();
    found
}

#[test]
fn a_model_is_downloaded_once_and_then_used_without_the_hub() {
    let folder = scratch();
    let home = below(&folder, "home");
    let hub = Hub::new(honest);
    embed(&hub.endpoint, &home, "").done();
    let weights = &files()["model.safetensors"];
    let model = format!("{home}/hub/models--a--clip");
    let content = fs::read(format!("{model}/blobs/{}", sha256(weights))).expect("the content");
    assert_eq!(content, *weights);
    let link = format!("{model}/snapshots/{COMMIT}/model.safetensors");
    assert_eq!(fs::read(link).expect("the link"), *weights);

    let asked = hub.asked().len();
    embed(&hub.endpoint, &home, "").done();
    embed("http://127.0.0.1:9", &home, "HF_HUB_OFFLINE=1").done();
    assert_eq!(hub.asked().len(), asked);
}

#[test]
fn a_broken_download_is_continued() {
    let folder = scratch();
    let home = below(&folder, "home");
    // The first answer breaks off in the middle of the weights.
    let broke = Arc::new(Mutex::new(false));
    let hub = Hub::new(move |asked, stream| {
        let is_weights = asked.path.ends_with("model.safetensors");
        let mut broke = broke.lock().expect("nobody panicked");
        if is_weights && !std::mem::replace(&mut *broke, true) {
            let weights = &files()["model.safetensors"];
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                weights.len()
            );
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&weights[..200_000]);
            return;
        }
        drop(broke);
        honest(asked, stream);
    });
    embed(&hub.endpoint, &home, "").done();
    let ranges: Vec<String> = hub
        .asked()
        .iter()
        .filter_map(|asked| asked.headers.get("range").cloned())
        .collect();
    assert_eq!(ranges, ["bytes=200000-"]);
}

#[test]
fn what_an_earlier_process_has_left_is_continued_only_if_it_is_the_same() {
    for (left, is_done) in [(0..1000, true), (1000..2000, false)] {
        let folder = scratch();
        let home = below(&folder, "home");
        let weights = &files()["model.safetensors"];
        let blobs = format!("{home}/hub/models--a--clip/blobs");
        fs::create_dir_all(&blobs).expect("a folder");
        let part = format!("{blobs}/{}.incomplete", sha256(weights));
        fs::write(&part, &weights[left]).expect("a part");
        let hub = Hub::new(honest);
        let first = embed(&hub.endpoint, &home, "");
        match is_done {
            true => drop(first.done()),
            // Found by the checksum, and then begun anew.
            false => {
                first.fails(1, &["model.safetensors", "checksum"]).silent();
                assert!(!Path::new(&part).exists());
                embed(&hub.endpoint, &home, "").done();
            }
        }
    }
}

#[test]
fn names_from_a_hub_are_no_paths() {
    for name in ["../../victim", "/tmp/victim", "..", "a/b", "\u{e9}", ""] {
        let folder = scratch();
        let home = below(&folder, "home");
        fs::write(below(&folder, "victim"), "mine").expect("a file");
        fs::create_dir_all(below(&folder, "home")).expect("a folder");
        fs::write(below(&folder, "home/victim"), "mine").expect("a file");

        // As the version.
        let hub = Hub::new(move |asked, stream| match asked.path.starts_with("/api/") {
            true => send(stream, "200 OK", &[], &description(name, &files())),
            false => honest(asked, stream),
        });
        embed(&hub.endpoint, &home, "")
            .fails(1, &["a/clip", "version"])
            .silent();

        // As the name of a content.
        let hub = Hub::new(move |asked, stream| match asked.path.starts_with("/api/") {
            true => honest(asked, stream),
            false => {
                let file = asked.path.rsplit('/').next().unwrap_or_default();
                let etag = format!("\"{name}\"");
                let headers = [("ETag", &*etag), ("X-Linked-Etag", &*etag)];
                match files().get(file) {
                    Some(bytes) => send(stream, "200 OK", &headers, bytes),
                    None => send(stream, "404 Not Found", &[], b""),
                }
            }
        });
        embed(&hub.endpoint, &home, "").done();

        for victim in ["victim", "home/victim"] {
            let kept = fs::read_to_string(below(&folder, victim)).expect("the victim");
            assert_eq!(kept, "mine", "{name}");
        }
        let inside = below(&folder, "home/hub/");
        let others = [below(&folder, "victim"), below(&folder, "home/victim")];
        for file in all_files(folder.path()) {
            assert!(
                file.starts_with(&inside) || others.contains(&file),
                "{file}"
            );
        }
    }
}

#[test]
fn a_token_is_not_sent_in_the_clear_nor_to_another_host() {
    let folder = scratch();
    let home = below(&folder, "home");
    let other = Hub::new(honest);
    let there = other.endpoint.clone();
    let hub = Hub::new(move |asked, stream| match asked.path.starts_with("/api/") {
        true => honest(asked, stream),
        false => {
            let to = format!("{there}{}", asked.path);
            send(stream, "302 Found", &[("Location", &to)], b"");
        }
    });
    embed(&hub.endpoint, &home, "HF_TOKEN=hf_secret").done();
    assert!(!other.asked().is_empty());
    for asked in hub.asked().iter().chain(&other.asked()) {
        assert!(!format!("{asked:?}").contains("hf_secret"), "{asked:?}");
    }
    embed(&hub.endpoint, &below(&folder, "other"), "HF_TOKEN='a b'").fails(1, &["HF_TOKEN"]);
}

#[test]
fn a_server_that_stalls_is_given_up() {
    let stalls: [fn(&Asked, &mut TcpStream); 3] = [
        // Silence.
        |_, _| std::thread::sleep(Duration::from_secs(60)),
        // A head, and then silence.
        |_, stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
            std::thread::sleep(Duration::from_secs(60));
        },
        // A byte now and then.
        |_, stream| {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
            for _ in 0..600 {
                let _ = stream.write_all(b" ");
                std::thread::sleep(Duration::from_millis(100));
            }
        },
    ];
    for stall in stalls {
        let folder = scratch();
        let hub = Hub::new(stall);
        let start = Instant::now();
        embed(&hub.endpoint, &below(&folder, "home"), "")
            .fails(1, &["a/clip"])
            .silent();
        assert!(start.elapsed() < Duration::from_secs(40));
    }
}

#[test]
fn answers_that_make_no_sense_are_errors_that_say_so() {
    let of_weights = |answer: fn(&[u8], &mut TcpStream)| {
        Hub::new(
            move |asked, stream| match asked.path.ends_with("model.safetensors") {
                true => answer(&files()["model.safetensors"], stream),
                false => honest(asked, stream),
            },
        )
    };
    let of_description = |answer: fn(&mut TcpStream)| {
        Hub::new(move |asked, stream| match asked.path.starts_with("/api/") {
            true => answer(stream),
            false => honest(asked, stream),
        })
    };
    let cases: [(Hub, &str); 8] = [
        (
            of_weights(|bytes, stream| {
                let mut other = bytes.to_vec();
                other[200_000] ^= 1;
                send(stream, "200 OK", &[], &other);
            }),
            "checksum",
        ),
        (
            of_weights(|bytes, stream| {
                let other = [bytes, b"more"].concat();
                send(stream, "200 OK", &[], &other);
            }),
            "more than",
        ),
        (
            of_weights(|bytes, stream| send(stream, "200 OK", &[], &bytes[..9])),
            "9 of",
        ),
        (
            of_weights(|_, stream| send(stream, "302 Found", &[("Location", "/x")], b"")),
            "404",
        ),
        (
            of_weights(|_, stream| {
                let to = [("Location", "file:///etc/passwd")];
                send(stream, "302 Found", &to, b"");
            }),
            "redirect",
        ),
        (
            of_description(|stream| send(stream, "200 OK", &[], b"<html>")),
            "description",
        ),
        (
            of_description(|stream| send(stream, "200 OK", &[], &vec![b' '; 20 << 20])),
            "more than",
        ),
        (
            of_description(|stream| send(stream, "302 Found", &[("Location", "/api/x")], b"")),
            "redirects",
        ),
    ];
    for (hub, word) in &cases {
        let folder = scratch();
        let home = below(&folder, "home");
        embed(&hub.endpoint, &home, "")
            .fails(1, &["a/clip", word])
            .silent();
        // Nothing that looks like weights is left.
        let offline = embed(&hub.endpoint, &home, "HF_HUB_OFFLINE=1");
        offline.fails(1, &["HF_HUB_OFFLINE"]).silent();
    }
}
