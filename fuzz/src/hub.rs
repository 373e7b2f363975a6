//! The answers of a hub: an input is what a server on this machine says to every request.
//!
//! `run.sh` sets `HF_ENDPOINT` to an address of this machine, and the cache to the folder for files.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{LazyLock, Mutex, PoisonError};

use promptsrc_clip::hub;

use crate::scratch;
use crate::target::{Outcome, Target};

pub const TARGETS: &[Target] = &[Target {
    name: "hub",
    run,
    seeds,
}];

static ANSWER: Mutex<Vec<u8>> = Mutex::new(Vec::new());

static SERVER: LazyLock<()> = LazyLock::new(|| {
    let endpoint = std::env::var("HF_ENDPOINT").unwrap_or_default();
    let address = endpoint.strip_prefix("http://127.0.0.1:");
    let port = address.and_then(|port| port.parse::<u16>().ok());
    let port = port.unwrap_or_else(|| panic!("HF_ENDPOINT is {endpoint:?}, not of this machine"));
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("a free port");
    std::thread::spawn(move || {
        for connection in listener.incoming() {
            let _ = connection.map(answer);
        }
    });
});

fn answer(mut connection: TcpStream) -> std::io::Result<()> {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") && connection.read(&mut byte)? == 1 {
        request.extend(byte);
    }
    let answer = ANSWER
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    connection.write_all(&answer)
}

fn run(data: &[u8]) -> Outcome {
    // The first leads to other machines; after the second a download is tried again in a second.
    let has = |word: &[u8]| {
        data.windows(word.len())
            .any(|w| w.eq_ignore_ascii_case(word))
    };
    if has(b"location") || has(b"x-linked-size") {
        return Outcome::Skipped;
    }
    LazyLock::force(&SERVER);
    *ANSWER.lock().unwrap_or_else(PoisonError::into_inner) = data.to_vec();
    scratch::remove(&scratch::path("hub"));
    hub::resolve("fuzz/model", &mut |_| {}).into()
}

fn seeds() -> Vec<(String, Vec<u8>)> {
    let hash = "0123456789abcdef0123456789abcdef01234567";
    let body = format!(
        r#"{{"sha": "{hash}", "siblings": [{{"rfilename": "config.json"}}, {{"rfilename": "model.safetensors"}}]}}"#
    );
    let chunked = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
    let length = body.len();
    let seeds = [
        (
            "plain",
            format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"),
        ),
        (
            "tagged",
            format!(
                "HTTP/1.1 200 OK\r\nETag: \"{hash}\"\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
        ),
        (
            "chunked",
            format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunked}"),
        ),
        (
            "part",
            format!("HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 0-9/10\r\n\r\n{body}"),
        ),
        (
            "missing",
            "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_string(),
        ),
    ];
    let named = seeds
        .into_iter()
        .map(|(name, seed)| (name.to_string(), seed.into_bytes()));
    named.collect()
}
