//! What a service is asked: requests of any content, and any bytes on its port. Every answer is that of a model or
//! a refusal with a reason.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, LazyLock, mpsc};
use std::time::Duration;

use promptsrc::Clip;
use promptsrc::calibration::Calibration;
use promptsrc_service::{Bounds, Model, Served, Service, ServiceError, ServiceSettings, Token};
use serde_json::Value;

use crate::repository;
use crate::target::{Outcome, Target};

pub const TARGETS: &[Target] = &[
    Target {
        name: "requests",
        run: request,
        seeds: request_seeds,
    },
    Target {
        name: "http",
        run: http,
        seeds: http_seeds,
    },
];

/// The token of the service that is sent any bytes.
const TOKEN: &str = "correct-horse";

/// A service on a free port of this machine, for as long as the process runs.
fn start(token: Option<&str>) -> SocketAddr {
    let settings = ServiceSettings {
        host: [127, 0, 0, 1].into(),
        port: 0,
        token: token.map(|token| Token::new(token).expect("a token")),
        allowed_hosts: Vec::new(),
        top_k: 5,
        decoders: 1,
        bounds: Bounds {
            max_body: 1 << 16,
            max_images: 4,
            max_names: 20,
            max_name_bytes: 100,
            max_pixels: 1 << 14,
            class_cache: 100,
            ..Bounds::default()
        },
        log: None,
    };
    let service = Service::bind(settings).expect("a free port");
    let address = service.address();
    let (ready, is_ready) = mpsc::channel();
    std::thread::spawn(move || {
        let ready = move || ready.send(()).expect("a listener");
        let served = service.run::<ServiceError>(|| Ok(served()), ready, Arc::new(|| false));
        panic!("the service has ended: {served:?}");
    });
    is_ready.recv().expect("a service");
    address
}

/// The smallest CLIP, with a calibration for its class names.
fn served() -> Served {
    let clip = repository::path("tools/goldens/data/tiny/clip_openai_fp16.safetensors");
    let calibration = repository::path("fuzz/seeds/calibration/zero-shot.json");
    let calibration = Calibration::load(&calibration).expect("a calibration");
    Served {
        clip: Clip::open(&clip.to_string_lossy()).expect("a CLIP"),
        model: Model::ZeroShot {
            templates: vec!["a photo of a {}.".to_string()],
        },
        names: calibration.class_names().to_vec(),
        upright: true,
        calibration: Some(Arc::new(calibration)),
    }
}

/// Sends bytes, and no more if it is said so, and reads to the end of the connection.
fn exchange(address: SocketAddr, parts: &[&[u8]], no_more: bool) -> Vec<u8> {
    let mut stream = TcpStream::connect(address).expect("a connection");
    let patience = Some(Duration::from_secs(15));
    stream.set_read_timeout(patience).expect("a socket");
    // Who is refused early may not be read to the end.
    let _ = stream.write_all(&parts.concat());
    if no_more {
        let _ = stream.shutdown(Shutdown::Write);
    }
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
            panic!("a connection without an end")
        }
        _ => answer,
    }
}

/// Method and path on a line, headers, a blank line and the body: sent as a request whose framing is right.
fn request(data: &[u8]) -> Outcome {
    static SERVICE: LazyLock<SocketAddr> = LazyLock::new(|| start(None));
    let end = data.windows(2).position(|two| two == b"\n\n");
    let Some((head, body)) = end.and_then(|end| Some((data.get(..end)?, data.get(end + 2..)?)))
    else {
        return Outcome::Skipped;
    };
    let mut lines = head.split(|byte| *byte == b'\n');
    let first = lines.next().unwrap_or_default();
    let mut sent = [
        first,
        b" HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n",
    ]
    .concat();
    sent.extend(format!("content-length: {}\r\n", body.len()).bytes());
    for line in lines {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        let name = name.trim_ascii().to_ascii_lowercase();
        let framing: [&[u8]; 5] = [
            b"connection",
            b"content-length",
            b"expect",
            b"transfer-encoding",
            b"",
        ];
        if !framing.contains(&name.as_slice()) {
            sent.extend(line);
            sent.extend(b"\r\n");
        }
    }
    sent.extend(b"\r\n");
    let answer = exchange(*SERVICE, &[&sent, body], false);
    assert!(!answer.is_empty(), "no answer");
    checked(&answer, first)
}

/// Any bytes, after them what is no request, and the end.
fn http(data: &[u8]) -> Outcome {
    static SERVICE: LazyLock<SocketAddr> = LazyLock::new(|| start(Some(TOKEN)));
    let answer = exchange(*SERVICE, &[data, b"\r\n\r\n\0"], true);
    match answer.is_empty() {
        // Who says that nothing more will come may have gone.
        true => Outcome::Refused,
        false => checked(&answer, data.trim_ascii_start()),
    }
}

/// What came of a request that begins so, by the first answer to it.
///
/// # Panics
/// Where it is a fault of the service, or a refusal without a reason.
fn checked(answer: &[u8], request: &[u8]) -> Outcome {
    let shown = || String::from_utf8_lossy(answer).into_owned();
    let answer = answer
        .strip_prefix(b"HTTP/1.1 100 Continue\r\n\r\n")
        .unwrap_or(answer);
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no end of the headers in {:?}", shown()));
    let head = String::from_utf8_lossy(&answer[..end]).to_ascii_lowercase();
    let status = head.split(' ').nth(1).and_then(|s| s.parse::<u16>().ok());
    let status = status.unwrap_or_else(|| panic!("no status in {:?}", shown()));
    // The others say that the service has failed, or is busy.
    assert!((200..500).contains(&status) || status == 505, "{}", shown());
    if status < 400 {
        return Outcome::Taken;
    }
    assert!(
        head.contains("\r\ncontent-type: application/json\r\n"),
        "{}",
        shown()
    );
    let length = head
        .split("\r\n")
        .find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    let length = length.unwrap_or_else(|| panic!("no length in {:?}", shown()));
    if !request.starts_with(b"HEAD ") {
        let body = answer.get(end + 4..end + 4 + length);
        let body: Option<Value> = body.and_then(|body| serde_json::from_slice(body).ok());
        let body = body.unwrap_or_else(|| panic!("no JSON in {:?}", shown()));
        let text = |key: &str| body["error"][key].as_str().is_some_and(|t| !t.is_empty());
        assert!(text("code") && text("message"), "{}", shown());
    }
    Outcome::Refused
}

/// An image file of one pixel, in base64.
const PIXEL: &str = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7";

fn request_seeds() -> Vec<(String, Vec<u8>)> {
    let jpeg = repository::read("examples/images/red_circle/red_circle_01.jpg");
    let file = |field: &str| {
        let head = format!(
            "--x\r\nContent-Disposition: form-data; name=\"{field}\"; filename=\"a b.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
        );
        [head.as_bytes(), &jpeg, b"\r\n"].concat()
    };
    let field = |name: &str, value: &str| {
        format!("--x\r\nContent-Disposition: form-data; name={name}\r\n\r\n{value}\r\n")
            .into_bytes()
    };
    let post = |path: &str, media_type: &str, body: &[u8]| {
        [
            format!("POST {path}\ncontent-type: {media_type}\n\n").as_bytes(),
            body,
        ]
        .concat()
    };
    let json = |path: &str, text: String| post(path, "application/json", text.as_bytes());
    let form = |path: &str, parts: &[Vec<u8>]| {
        let body = [parts.concat(), b"--x--\r\n".to_vec()].concat();
        post(path, "multipart/form-data; boundary=x", &body)
    };
    let seeds = [
        (
            "predict.json",
            json(
                "/v1/predict",
                format!(
                    r#"{{"images": [{{"name": "a.gif", "data": "{PIXEL}"}}, {{"data": "{PIXEL}"}}], "names": ["a cat", "dog"], "top_k": 1}}"#
                ),
            ),
        ),
        (
            "calibrated.json",
            json(
                "/v1/predict",
                format!(
                    r#"{{"images": [{{"data": "{PIXEL}"}}, {{"data": "AAAA"}}], "coverage": 0.9, "sets": "aps", "unknown": true, "allow_unreadable": true}}"#
                ),
            ),
        ),
        (
            "embed.json",
            json(
                "/v1/embed",
                format!(
                    r#"{{"images": [{{"data": "{PIXEL}"}}], "texts": ["a photo", "na\u00efve \ud83d\udc08"]}}"#
                ),
            ),
        ),
        (
            "predict.form",
            form(
                "/v1/predict",
                &[
                    file("image"),
                    field("names", "a cat\ndog"),
                    field("names", "[\"bird\"]"),
                    field("top_k", "2"),
                ],
            ),
        ),
        (
            "calibrated.form",
            form(
                "/v1/predict",
                &[
                    file("image"),
                    field("coverage", "0.8"),
                    field("sets", "raps"),
                    field("unknown", "true"),
                    field("allow_unreadable", "1"),
                ],
            ),
        ),
        (
            "embed.form",
            form("/v1/embed", &[file("image"), field("texts", "a\nb")]),
        ),
        (
            "address",
            post(
                "/v1/predict?top_k=2&names=a+cat%0Adog&allow_unreadable=false",
                "image/jpeg",
                &jpeg,
            ),
        ),
        (
            "bytes",
            post("/v1/embed", "application/octet-stream", &jpeg),
        ),
        ("model", b"GET /v1/model\n\n".to_vec()),
        (
            "site",
            b"POST /v1/predict\nsec-fetch-site: cross-site\norigin: http://evil.example\n\n"
                .to_vec(),
        ),
        (
            "head",
            b"HEAD /page.js\nauthorization: Bearer abc\n\n".to_vec(),
        ),
    ];
    let named = seeds.map(|(name, seed)| (name.to_string(), seed));
    named.into()
}

fn http_seeds() -> Vec<(String, Vec<u8>)> {
    let lines = |lines: &[&str], body: &str| format!("{}\r\n\r\n{body}", lines.join("\r\n"));
    let token = format!("authorization: Bearer {TOKEN}");
    let seeds = [
        (
            "alive",
            lines(&["GET /healthz HTTP/1.1", "host: localhost"], ""),
        ),
        (
            "old",
            lines(&["GET /readyz HTTP/1.0", "connection: keep-alive"], ""),
        ),
        (
            "token",
            lines(&["GET /v1/model HTTP/1.1", "host: [::1]:80", &token], ""),
        ),
        (
            "two",
            lines(&["HEAD / HTTP/1.1", "host: 127.0.0.1"], "")
                + &lines(&["GET /metrics HTTP/1.1", &token, "connection: close"], ""),
        ),
        (
            "pieces",
            lines(
                &[
                    "POST /v1/embed HTTP/1.1",
                    &token,
                    "content-type: application/json",
                    "transfer-encoding: chunked",
                ],
                "10\r\n{\"texts\": [\"a\"]}\r\n0\r\nx: y\r\n\r\n",
            ),
        ),
        (
            "asks",
            lines(
                &[
                    "POST /v1/embed HTTP/1.1",
                    &token,
                    "expect: 100-continue",
                    "content-type: application/json",
                    "content-length: 16",
                ],
                "{\"texts\": [\"a\"]}",
            ),
        ),
        ("version", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_string()),
        ("tunnel", lines(&["CONNECT localhost:80 HTTP/1.1"], "")),
        (
            "address",
            lines(&["GET http://localhost/page.css?a=b#c HTTP/1.1"], ""),
        ),
        (
            "other",
            "\x16\x03\x01\x02\0\x01\0\x01\u{fc}\x03\x03".to_string(),
        ),
    ];
    let named = seeds.map(|(name, seed)| (name.to_string(), seed.into_bytes()));
    named.into()
}
