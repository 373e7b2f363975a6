//! `promptsrc serve` as a process: the numbers of `predict`, its options, and its end by a signal.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{PROMPTSRC, below, clip, images, promptsrc, scratch, text};
use serde_json::Value;

const NAMES: &str = "red circle,\"star, yellow\",teapot";

/// The process of a service, which ends with this value.
struct Service {
    process: Child,
    address: String,
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn serve(args: &[&str], token: Option<&str>) -> Service {
    let mut command = Command::new(PROMPTSRC);
    command
        .arg("serve")
        .args(args)
        .args(["--port", "0", "--json"]);
    command
        .env("HF_HUB_OFFLINE", "1")
        .env_remove("PROMPTSRC_TOKEN");
    if let Some(token) = token {
        command.env("PROMPTSRC_TOKEN", token);
    }
    let process = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut service = Service {
        process: process.expect("a process"),
        address: String::new(),
    };
    let output = service.process.stdout.take().expect("its output");
    // A JSON document of some lines.
    let mut document = String::new();
    for line in BufReader::new(output).lines() {
        document += &line.expect("a line");
        if document.ends_with('}') {
            break;
        }
    }
    let document: Value = serde_json::from_str(&document).expect("where it listens");
    let address = document["address"].as_str().expect("an address");
    service.address = address.strip_prefix("http://").expect("HTTP").to_string();
    service
}

impl Service {
    fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).expect("a connection");
        let head = format!(
            "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}content-length: {}\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).expect("a connection");
        stream.write_all(body).expect("a connection");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
        let status = head.split(' ').nth(1).and_then(|s| s.parse().ok());
        (status.expect("a status"), body.to_string())
    }

    fn predict(&self, image: &str) -> Value {
        let bytes = std::fs::read(image).expect("an image");
        let (status, body) = self.send(
            "POST",
            "/v1/predict",
            "content-type: image/jpeg\r\n",
            &bytes,
        );
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("JSON")
    }

    /// Sends a signal and gives the exit code and what was said on standard error.
    fn ends_by(mut self, signal: &str) -> (Option<i32>, String) {
        let pid = self.process.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status();
        assert!(sent.expect("kill").success());
        let start = Instant::now();
        let code = loop {
            if let Some(status) = self.process.try_wait().expect("a process") {
                break status.code();
            }
            assert!(start.elapsed() < Duration::from_secs(30), "it does not end");
            std::thread::sleep(Duration::from_millis(20));
        };
        let mut said = String::new();
        let error = self.process.stderr.as_mut().expect("its errors");
        error.read_to_string(&mut said).expect("text");
        (code, said)
    }
}

#[cfg(unix)]
#[test]
fn a_service_has_the_numbers_of_predict_and_ends_with_0_when_told() {
    let folder = scratch();
    let run = below(folder.path(), "run");
    let clip = clip();
    let data = images();
    promptsrc(&[
        "train", "--clip", &clip, "--data", &data, "--shots", "2", "--epochs", "1", "--out", &run,
    ])
    .done();
    let image = below(&data, "red_circle/red_circle_01.jpg");
    let other = below(&data, "yellow_star/yellow_star_12.jpg");
    for what in [
        vec![run.as_str()],
        vec![run.as_str(), "--names", NAMES, "--top-k", "2"],
        vec!["--zero-shot", "--clip", &clip, "--names", NAMES],
    ] {
        let mut args = vec!["predict", "--json"];
        args.extend(&what);
        args.extend([image.as_str(), &other]);
        let expected = promptsrc(&args).done().json();
        let service = serve(&what, None);
        for (place, image) in [image.as_str(), &other].into_iter().enumerate() {
            let found = service.predict(image);
            assert_eq!(
                found["predictions"][0]["top"], expected[place]["top"],
                "{what:?}"
            );
            // No answer says where the model is.
            assert!(!found.to_string().contains(&text(folder.path())), "{found}");
        }
        let signal = if what.len() == 1 { "-INT" } else { "-TERM" };
        let (code, said) = service.ends_by(signal);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("everything under way was answered"), "{said}");
    }
}

#[test]
fn a_token_is_that_of_the_file_or_of_the_environment() {
    let folder = scratch();
    let file = below(folder.path(), "token");
    std::fs::write(&file, "secret-of-the-file\n").expect("a file");
    let what = ["--zero-shot", "--clip", "mini", "--names", "cat,dog"];
    let with_file = [&what[..], &["--token-file", &file]].concat();
    for (args, environment, token) in [
        (
            &what[..],
            Some("secret-of-the-environment"),
            "secret-of-the-environment",
        ),
        (
            &with_file[..],
            Some("secret-of-the-environment"),
            "secret-of-the-file",
        ),
    ] {
        let service = serve(args, environment);
        assert_eq!(service.send("GET", "/v1/model", "", b"").0, 401);
        let header = format!("authorization: Bearer {token}\r\n");
        assert_eq!(service.send("GET", "/v1/model", &header, b"").0, 200);
    }
}

#[test]
fn wrong_options_are_refused_before_anything_is_loaded() {
    let what = [
        "serve",
        "--zero-shot",
        "--clip",
        "mini",
        "--names",
        "cat,dog",
    ];
    let with = |more: &[&str]| promptsrc(&[&what[..], more].concat());
    with(&["--host", "0.0.0.0", "--port", "0"])
        .fails(2, &["--token-file", "--no-token"])
        .silent();
    with(&["--queue", "3", "--max-images", "4"])
        .fails(2, &["--queue 3", "--max-images 4"])
        .silent();
    with(&["--max-body", "5000"])
        .fails(2, &["--max-body 5000"])
        .silent();
    with(&["--token-file", "/no/such/file"])
        .fails(1, &["/no/such/file"])
        .silent();
    let folder = scratch();
    let file = below(folder.path(), "token");
    std::fs::write(&file, "short\n").expect("a file");
    with(&["--token-file", &file])
        .fails(2, &["8 to 4096 characters"])
        .silent();
    promptsrc(&["serve"]).fails(2, &["<RUN>"]).silent();
    promptsrc(&["serve", "--zero-shot", "--clip", "mini"])
        .fails(2, &["--names"])
        .silent();
    promptsrc(&["serve", &below(folder.path(), "none")])
        .fails(1, &["no such file or folder"])
        .silent();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    with(&["--port", &port])
        .fails(1, &["cannot listen on 127.0.0.1"])
        .silent();
}
