//! A service on a free port of loopback with the built-in CLIP, and a client that sends any bytes.

// Each test file uses a part of this.
#![allow(dead_code)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::Duration;

use promptsrc::Clip;
use promptsrc_service::{Bounds, Model, Served, Service, ServiceError, ServiceSettings, Token};
use serde_json::Value;

/// The class names of the service.
pub const NAMES: [&str; 4] = ["red circle", "yellow star", "green triangle", "blue square"];
/// The template of the service.
pub const TEMPLATE: &str = "a photo of a {}.";

/// A service in this process.
pub struct Running {
    pub address: SocketAddr,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<bool, ServiceError>>>,
}

/// What is served.
pub fn served() -> Served {
    Served {
        clip: Clip::open("mini").expect("the built-in CLIP"),
        model: Model::ZeroShot {
            templates: vec![TEMPLATE.to_string()],
        },
        names: NAMES.map(String::from).to_vec(),
        upright: false,
        calibration: None,
    }
}

/// Settings on loopback.
pub fn settings(bounds: Bounds) -> ServiceSettings {
    ServiceSettings {
        host: [127, 0, 0, 1].into(),
        port: 0,
        token: None,
        allowed_hosts: Vec::new(),
        top_k: 5,
        decoders: 2,
        bounds,
        log: None,
    }
}

/// A service that is ready.
pub fn start(bounds: Bounds) -> Running {
    start_with(settings(bounds))
}

/// A service of a model that is ready.
pub fn start_serving(model: impl FnOnce() -> Served + Send + 'static) -> Running {
    start_model(settings(Bounds::default()), model)
}

/// As [`start`], with a token.
pub fn start_with_token(token: &str) -> Running {
    let token = Token::new(token).expect("a token");
    start_with(ServiceSettings {
        token: Some(token),
        ..settings(Bounds::default())
    })
}

/// A service with these settings that is ready.
pub fn start_with(settings: ServiceSettings) -> Running {
    start_model(settings, served)
}

fn start_model(
    settings: ServiceSettings,
    model: impl FnOnce() -> Served + Send + 'static,
) -> Running {
    let (ready, is_ready) = channel();
    let running = start_loading(settings, model, move || {
        let _ = ready.send(());
    });
    is_ready
        .recv_timeout(Duration::from_secs(60))
        .expect("the service is ready");
    running
}

/// A service that has an address, and gets its model from `load`.
pub fn start_loading(
    settings: ServiceSettings,
    load: impl FnOnce() -> Served + Send + 'static,
    ready: impl FnOnce() + Send + 'static,
) -> Running {
    let service = Service::bind(settings).expect("an address");
    let address = service.address();
    let stop = Arc::new(AtomicBool::new(false));
    let told = stop.clone();
    let thread = std::thread::spawn(move || {
        let should_stop = Arc::new(move || told.load(Ordering::Relaxed));
        service.run::<ServiceError>(|| Ok(load()), ready, should_stop)
    });
    Running {
        address,
        stop,
        thread: Some(thread),
    }
}

impl Running {
    /// Tells it to stop.
    pub fn tell_to_stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Whether it has finished everything when it has stopped.
    pub fn stopped(mut self) -> bool {
        self.tell_to_stop();
        let thread = self.thread.take().expect("it runs");
        thread.join().expect("no panic").expect("no error")
    }

    /// Connects.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("a connection");
        let patience = Some(Duration::from_secs(60));
        stream.set_read_timeout(patience).expect("a socket");
        stream
    }

    /// Sends these bytes and reads to the end.
    pub fn send(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect();
        // What is refused early may not be read to its end.
        let _ = stream.write_all(bytes);
        read(&mut stream)
    }

    /// A request without a body.
    pub fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], b"")
    }

    /// A request with a body of a media type.
    pub fn post(&self, path: &str, media_type: &str, body: &[u8]) -> Answer {
        self.request("POST", path, &[("content-type", media_type)], body)
    }

    /// A request.
    pub fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Answer {
        self.send(&request(method, path, headers, body))
    }

    /// A number of the metrics.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").body;
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        let value = line.and_then(|rest| rest.trim().parse().ok());
        value.unwrap_or_else(|| panic!("{name} is not in\n{text}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.tell_to_stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The bytes of a request.
pub fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        text += "host: localhost\r\n";
    }
    for (name, value) in headers {
        text += &format!("{name}: {value}\r\n");
    }
    let framed = |(name, _): &(&str, &str)| ["transfer-encoding", "content-length"].contains(name);
    if method == "POST" && !headers.iter().any(framed) {
        text += &format!("content-length: {}\r\n", body.len());
    }
    text += "\r\n";
    let mut bytes = text.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// 0: nothing came.
    pub status: u16,
    pub headers: String,
    pub body: String,
}

/// Reads an answer to the end of the connection.
pub fn read(stream: &mut TcpStream) -> Answer {
    let mut bytes = Vec::new();
    // A connection that is reset has said before what it had to say.
    let _ = stream.read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // What asks for more of the body is no answer.
    let text = text
        .strip_prefix("HTTP/1.1 100 Continue\r\n\r\n")
        .unwrap_or(&text);
    let (headers, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
    let status = headers.split(' ').nth(1).and_then(|s| s.parse().ok());
    Answer {
        status: status.unwrap_or(0),
        headers: headers.to_ascii_lowercase(),
        body: body.to_string(),
    }
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// Fails unless it is a refusal of this status with a code and a sentence.
    pub fn refuses(&self, status: u16, code: &str) -> &Self {
        let json = self.json();
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(json["error"]["code"], code, "{self:?}");
        let message = json["error"]["message"].as_str().expect("a message");
        assert!(!message.is_empty());
        assert!(
            self.headers.contains("content-type: application/json"),
            "{self:?}"
        );
        self.names_no_file();
        self
    }

    /// Fails if it names a file of this machine.
    pub fn names_no_file(&self) {
        let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
        let root = root
            .ancestors()
            .nth(2)
            .expect("a folder")
            .display()
            .to_string();
        for part in [root.as_str(), "/tmp/", "/home/", "/root/", ".rs:"] {
            assert!(!self.body.contains(part), "{part} in {self:?}");
        }
    }
}

/// An image file of the examples.
pub fn example(name: &str) -> PathBuf {
    let folder = name.rsplit_once('_').map_or(name, |(folder, _)| folder);
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../examples/images");
    root.join(folder).join(format!("{name}.jpg"))
}

/// The bytes of an image file of the examples.
pub fn bytes_of(name: &str) -> Vec<u8> {
    std::fs::read(example(name)).expect("an example")
}

/// A form: names, file names and values.
pub fn form(parts: &[(&str, Option<&str>, &[u8])]) -> (String, Vec<u8>) {
    let boundary = "boundary-of-the-test";
    let mut body = Vec::new();
    for (name, file, value) in parts {
        let file = file.map_or(String::new(), |file| format!("; filename=\"{file}\""));
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(value);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}
