//! What a service refuses: each with its status and a reason, and it goes on answering.

mod common;

use std::io::Write;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::{
    Running, bytes_of, form, read, request, served, settings, start, start_loading, start_with,
    start_with_token,
};
use promptsrc_service::{Bounds, Service, ServiceError, ServiceSettings};
use serde_json::json;

const IMAGE: &str = "red_circle_01";

fn good(service: &Running) {
    let found = service.post("/v1/predict", "image/jpeg", &bytes_of(IMAGE));
    assert_eq!(found.status, 200, "{found:?}");
}

#[test]
fn what_is_not_written_as_it_should_be() {
    let service = start(Bounds::default());
    let post = |media_type: &str, body: &[u8]| service.post("/v1/predict", media_type, body);
    for body in ["", "{", "\u{0}", "{\"images\":[{\"data\":\"", "nul"] {
        post("application/json", body.as_bytes()).refuses(400, "malformed");
    }
    let deep = "[".repeat(100_000);
    post("application/json", deep.as_bytes());
    let (media_type, whole) = form(&[("image", Some("a.jpg"), &bytes_of(IMAGE))]);
    for end in [0, 1, 30, 100, whole.len() / 2, whole.len() - 4] {
        post(&media_type, &whole[..end]).refuses(400, "malformed");
    }
    post("multipart/form-data", &whole).refuses(400, "malformed");
    post("multipart/form-data; boundary=other", &whole).refuses(400, "malformed");
    let (media_type, many) = form(&[("names", None, &b"a"[..]); 65]);
    post(&media_type, &many).refuses(400, "malformed");
    // Shorter than announced: the answer is 400 or none, because the client has gone.
    let head = request(
        "POST",
        "/v1/predict",
        &[("content-type", "image/jpeg"), ("content-length", "1000")],
        b"",
    );
    let mut stream = service.connect();
    stream.write_all(&head).expect("a connection");
    stream
        .shutdown(std::net::Shutdown::Write)
        .expect("a socket");
    let found = read(&mut stream);
    assert!([0, 400].contains(&found.status), "{found:?}");
    good(&service);
}

#[test]
fn what_is_no_request_of_http() {
    let service = start(Bounds::default());
    let long = "x".repeat(1_000_000);
    let many: String = (0..65).map(|n| format!("x-{n}: y\r\n")).collect();
    let large: String = (0..40)
        .map(|n| format!("x-{n}: {}\r\n", "y".repeat(2000)))
        .collect();
    let refusals = [
        ("\0\x01\x02", 400, "malformed"),
        ("GET\r\n\r\n", 400, "malformed"),
        ("GET / HTTP/9.9\r\n\r\n", 400, "malformed"),
        ("GET / HTTP/1.1\r\nno colon\r\n\r\n", 400, "malformed"),
        (
            "POST /v1/predict HTTP/1.1\r\ncontent-length: many\r\n\r\n",
            400,
            "malformed",
        ),
        (
            "POST /v1/predict HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n",
            400,
            "malformed",
        ),
        (
            &format!("GET /{long} HTTP/1.1\r\n\r\n"),
            431,
            "headers_too_large",
        ),
        (
            &format!("GET / HTTP/1.1\r\n{many}\r\n"),
            431,
            "headers_too_large",
        ),
        (
            &format!("GET / HTTP/1.1\r\n{large}\r\n"),
            431,
            "headers_too_large",
        ),
        (
            &format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(3_000_000)),
            431,
            "headers_too_large",
        ),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "http_version"),
    ];
    for (bytes, status, code) in refusals {
        let found = service.send(bytes.as_bytes());
        found.refuses(status, code);
        ends_the_connection(&found);
    }
    // The handshake of a client that speaks TLS.
    let found = service.send(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\xb9\xff");
    found.refuses(400, "malformed");
    assert!(found.body.contains("TLS"), "{found:?}");
    ends_the_connection(&found);
    // After a request that was answered, on the same connection.
    let asked = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let found = service.send(format!("{asked}\0\0").as_bytes());
    assert_eq!(found.status, 200, "{found:?}");
    let (alive, refusal) = found.body.split_once("HTTP/1.1 ").expect("two answers");
    assert_eq!(alive, r#"{"status":"alive"}"#);
    assert!(refusal.starts_with("400 Bad Request\r\n"), "{refusal}");
    assert!(refusal.ends_with("}}"), "{refusal}");
    // Nothing but line ends is nothing.
    let mut silent = service.connect();
    silent.write_all(b"\r\n\r\n\r\n").expect("a connection");
    silent
        .shutdown(std::net::Shutdown::Write)
        .expect("a socket");
    assert_eq!(read(&mut silent).status, 0);
    let counted = "promptsrc_requests_total{route=\"unreadable\",status=\"431\"}";
    assert_eq!(service.metric(counted), 4.0);
    good(&service);
}

fn ends_the_connection(found: &common::Answer) {
    for header in [
        "connection: close".to_string(),
        format!("content-length: {}", found.body.len()),
        "x-content-type-options: nosniff".to_string(),
    ] {
        assert!(found.headers.contains(&header), "{header}: {found:?}");
    }
}

#[test]
fn what_cannot_be_answered() {
    let service = start(Bounds::default());
    let image = STANDARD.encode(bytes_of(IMAGE));
    let images = json!([{"name": "a.jpg", "data": image}]);
    for document in [
        // Lists of what the fields would have.
        json!([images, null, [], 1, null, null, false, false]),
        json!({"images": [["a.jpg", image]]}),
        json!({"images": [{"name": "a.jpg", "data": "%%%"}]}),
        json!({"images": [{"name": "a.jpg"}]}),
        json!({"images": [{"data": image, "path": "/etc/passwd"}]}),
        json!({"images": images, "nmaes": ["a", "b"]}),
        json!({"images": images, "names": ["a"]}),
        json!({"images": images, "names": []}),
        json!({"images": images, "names": ["a", "A "]}),
        json!({"images": images, "names": ["a", ""]}),
        json!({"images": images, "names": ["a", "b".repeat(513)]}),
        json!({"images": images, "names": ["a", "b ".repeat(200)]}),
        json!({"images": images, "names": "a,b"}),
        json!({"images": images, "top_k": 0}),
        json!({"images": images, "top_k": -1}),
        json!({"images": images, "top_k": 1e30}),
        json!({"images": images, "texts": ["a"]}),
        json!({"images": []}),
        json!({}),
        json!([]),
        json!(null),
        json!({"images": [{"name": "n".repeat(600), "data": image}]}),
    ] {
        let found = service.post(
            "/v1/predict",
            "application/json",
            document.to_string().as_bytes(),
        );
        found.refuses(422, "invalid");
    }
    for document in [
        json!({}),
        json!({"texts": ["a"], "names": ["a", "b"]}),
        json!({"texts": ["word ".repeat(100)]}),
    ] {
        let found = service.post(
            "/v1/embed",
            "application/json",
            document.to_string().as_bytes(),
        );
        found.refuses(422, "invalid");
    }
    for (path, body) in [
        ("/v1/predict?top_k=0", bytes_of(IMAGE)),
        ("/v1/predict?top_k=many", bytes_of(IMAGE)),
        ("/v1/predict?names=a", bytes_of(IMAGE)),
        ("/v1/predict?names=%5B1%5D", bytes_of(IMAGE)),
        ("/v1/predict?file=/etc/passwd", bytes_of(IMAGE)),
        ("/v1/predict?allow_unreadable=perhaps", bytes_of(IMAGE)),
        ("/v1/predict?top_k=1&top_k=2", bytes_of(IMAGE)),
        ("/v1/predict?names=caf%E9&names=tea", bytes_of(IMAGE)),
    ] {
        service
            .post(path, "image/jpeg", &body)
            .refuses(422, "invalid");
    }
    let (media_type, body) = form(&[
        ("image", None, &bytes_of(IMAGE)),
        ("names", None, b"\xff\xfe"),
    ]);
    service
        .post("/v1/predict", &media_type, &body)
        .refuses(422, "invalid");
    let (media_type, body) = form(&[
        ("image", None, &bytes_of(IMAGE)),
        ("top_k", None, b"1"),
        ("top_k", None, b"2"),
    ]);
    service
        .post("/v1/predict", &media_type, &body)
        .refuses(422, "invalid");
    let (media_type, body) = form(&[("picture", None, &bytes_of(IMAGE))]);
    service
        .post("/v1/predict", &media_type, &body)
        .refuses(422, "invalid");
    let (media_type, body) = form(&[("names", None, b"a\nb")]);
    service
        .post("/v1/predict", &media_type, &body)
        .refuses(422, "invalid");
    good(&service);
}

#[test]
fn images_that_are_none() {
    let service = start(Bounds {
        max_pixels: 100_000,
        ..Bounds::default()
    });
    let post = |body: &[u8]| service.post("/v1/predict", "image/jpeg", body);
    let whole = bytes_of(IMAGE);
    for end in [10, whole.len() / 4, whole.len() / 2] {
        let found = post(&whole[..end]);
        assert_eq!(found.status, 422, "{end}: {found:?}");
        found.names_no_file();
    }
    post(b"").refuses(422, "image_damaged");
    post(b"<svg xmlns='http://www.w3.org/2000/svg'/>").refuses(415, "image_format");
    post(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic").refuses(415, "image_format");
    // A header that announces 60,000 x 60,000 pixels.
    let mut bomb = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bomb.extend(60_000_u32.to_be_bytes());
    bomb.extend(60_000_u32.to_be_bytes());
    bomb.extend(b"\x08\x02\0\0\0");
    bomb.extend(crc(&bomb[12..]).to_be_bytes());
    bomb.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e");
    post(&bomb).refuses(413, "image_too_large");
    for seed in 0..200_u32 {
        let mut damaged = whole.clone();
        for step in 0..8 {
            let place = (seed.wrapping_mul(2_654_435_761).wrapping_add(step * 40_503)) as usize;
            let place = place % damaged.len();
            damaged[place] ^= 0x55;
        }
        let found = post(&damaged);
        assert!(
            [200, 413, 415, 422].contains(&found.status),
            "{seed}: {found:?}"
        );
        found.names_no_file();
    }
    good(&service);
}

fn crc(bytes: &[u8]) -> u32 {
    let mut crc = !0_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1));
        }
    }
    !crc
}

#[test]
fn what_is_over_a_bound() {
    let service = start(Bounds {
        max_body: 100_000,
        max_images: 2,
        max_names: 3,
        ..Bounds::default()
    });
    let large = vec![7; 3_000_000];
    service
        .post("/v1/predict", "image/jpeg", &large)
        .refuses(413, "body_too_large");
    // Not announced, in pieces.
    let mut pieces = Vec::new();
    for piece in large.chunks(50_000) {
        pieces.extend(format!("{:x}\r\n", piece.len()).bytes());
        pieces.extend(piece);
        pieces.extend(b"\r\n");
    }
    let headers = [
        ("content-type", "image/jpeg"),
        ("transfer-encoding", "chunked"),
    ];
    let found = service.request("POST", "/v1/predict", &headers, &pieces);
    found.refuses(413, "body_too_large");
    // Who asks first sends nothing.
    let headers = [
        ("content-type", "image/jpeg"),
        ("content-length", "3000000"),
        ("expect", "100-continue"),
    ];
    let found = service.request("POST", "/v1/predict", &headers, b"");
    found.refuses(413, "body_too_large");
    let (media_type, body) = form(&[("image", None, &b"x"[..]); 3]);
    service
        .post("/v1/predict", &media_type, &body)
        .refuses(413, "too_many_images");
    let body = json!({"images": [{"data": ""}, {"data": ""}, {"data": ""}]}).to_string();
    service
        .post("/v1/predict", "application/json", body.as_bytes())
        .refuses(413, "too_many_images");
    let path = "/v1/predict?names=a%0Ab%0Ac%0Ad";
    service
        .post(path, "image/jpeg", &bytes_of(IMAGE))
        .refuses(413, "too_many_names");
    // Counted before anything else is done with them: a body may hold millions.
    let (media_type, body) = form(&[("names", None, "a\n".repeat(40_000).as_bytes())]);
    service
        .post("/v1/predict", &media_type, &body)
        .refuses(413, "too_many_names");
    let body = json!({"names": vec!["a"; 20_000]}).to_string();
    service
        .post("/v1/predict", "application/json", body.as_bytes())
        .refuses(413, "too_many_names");
    let body = json!({"texts": ["a", "b", "c", "d"]}).to_string();
    service
        .post("/v1/embed", "application/json", body.as_bytes())
        .refuses(413, "too_many_names");
    good(&service);
}

#[test]
fn other_media_types_methods_and_paths() {
    let service = start(Bounds::default());
    let image = bytes_of(IMAGE);
    for media_type in [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "imagejpeg",
        "\u{e4}",
    ] {
        service
            .post("/v1/predict", media_type, &image)
            .refuses(415, "media_type");
    }
    let headers = [("content-type", "image/jpeg"), ("content-encoding", "gzip")];
    service
        .request("POST", "/v1/predict", &headers, &image)
        .refuses(415, "media_type");
    service
        .request("POST", "/v1/predict", &[], &image)
        .refuses(415, "media_type");
    let body = json!({"images": [{"data": STANDARD.encode(&image)}]}).to_string();
    let found = service.post(
        "/v1/predict?top_k=1",
        "application/json; charset=utf-8",
        body.as_bytes(),
    );
    found.refuses(422, "invalid");
    for path in [
        "/v1",
        "/v1/predict/",
        "/../etc/passwd",
        "/page.html",
        "//",
        "/%2e%2e/",
    ] {
        service.get(path).refuses(404, "not_found");
    }
    for (method, path, allow) in [
        ("GET", "/v1/predict", "post"),
        ("DELETE", "/v1/embed", "post"),
        ("POST", "/", "get, head"),
        ("OPTIONS", "/v1/model", "get, head"),
        ("TRACE", "/metrics", "get, head"),
    ] {
        let found = service.request(method, path, &[], b"");
        found.refuses(405, "method");
        assert!(
            found.headers.contains(&format!("\r\nallow: {allow}")),
            "{found:?}"
        );
    }
    good(&service);
}

#[test]
fn hosts_and_pages_that_are_not_its_own() {
    let service = start_with(ServiceSettings {
        allowed_hosts: vec!["clip.example".to_string()],
        ..settings(Bounds::default())
    });
    for host in ["evil.example", "localhost.evil.example:80", "10.0.0.1"] {
        for path in ["/", "/v1/model", "/metrics"] {
            service
                .request("GET", path, &[("host", host)], b"")
                .refuses(421, "host");
        }
    }
    for host in ["localhost:99", "127.0.0.1", "[::1]:8080", "clip.example"] {
        assert_eq!(
            service.request("GET", "/", &[("host", host)], b"").status,
            200,
            "{host}"
        );
    }
    let image = bytes_of(IMAGE);
    for (site, status) in [
        ("cross-site", 403),
        ("same-site", 403),
        ("same-origin", 200),
        ("none", 200),
    ] {
        let headers = [("content-type", "image/jpeg"), ("sec-fetch-site", site)];
        let found = service.request("POST", "/v1/predict", &headers, &image);
        assert_eq!(found.status, status, "{site}: {found:?}");
    }
    let found = service.get("/v1/model");
    assert!(!found.headers.contains("access-control"), "{found:?}");
}

#[test]
fn requests_without_the_token() {
    let service = start_with_token("correct-horse-battery");
    let with = |token: &str, path: &str| {
        let value = format!("Bearer {token}");
        service.request("GET", path, &[("authorization", &value)], b"")
    };
    for path in ["/v1/model", "/metrics"] {
        let found = service.get(path);
        found.refuses(401, "token");
        assert!(
            found.headers.contains("www-authenticate: bearer"),
            "{found:?}"
        );
        with("correct-horse-batterz", path).refuses(401, "token");
        with("", path).refuses(401, "token");
        assert_eq!(with("correct-horse-battery", path).status, 200);
    }
    service
        .post("/v1/predict", "image/jpeg", &bytes_of(IMAGE))
        .refuses(401, "token");
    // A large body does not keep the client from seeing why.
    service
        .post("/v1/predict", "image/jpeg", &vec![0; 5_000_000])
        .refuses(401, "token");
    // What says nothing about the model needs none.
    for path in [
        "/",
        "/page.js",
        "/page.css",
        "/icon.svg",
        "/healthz",
        "/readyz",
        "/openapi.json",
    ] {
        assert_eq!(service.get(path).status, 200, "{path}");
    }
}

#[test]
fn more_than_the_queue_holds() {
    let service = start(Bounds {
        queue: 2,
        max_images: 2,
        batch_delay: Duration::from_millis(1500),
        ..Bounds::default()
    });
    let image = bytes_of(IMAGE);
    std::thread::scope(|threads| {
        let (media_type, body) = form(&[("image", None, &image), ("image", None, &image)]);
        let waiting = &service;
        let first = threads.spawn(move || waiting.post("/v1/predict", &media_type, &body));
        let start = Instant::now();
        while service.get("/readyz").status == 200 {
            assert!(
                start.elapsed() < Duration::from_secs(1),
                "the queue never fills"
            );
        }
        service.get("/readyz").refuses(503, "busy");
        let found = service.post("/v1/predict", "image/jpeg", &image);
        found.refuses(429, "queue_full");
        assert!(found.headers.contains("retry-after: 1"), "{found:?}");
        assert_eq!(first.join().expect("an answer").status, 200);
    });
    assert_eq!(service.get("/readyz").status, 200);
    good(&service);
    let refused = Service::bind(settings(Bounds {
        queue: 1,
        max_images: 2,
        ..Bounds::default()
    }));
    assert!(matches!(
        refused,
        Err(ServiceError::Queue {
            queue: 1,
            images: 2
        })
    ));
}

#[test]
fn what_takes_too_long() {
    let service = start(Bounds {
        timeout: Duration::from_millis(500),
        header_timeout: Duration::from_millis(500),
        batch_delay: Duration::from_millis(1500),
        ..Bounds::default()
    });
    // The answer.
    let found = service.post("/v1/predict", "image/jpeg", &bytes_of(IMAGE));
    found.refuses(503, "timeout");
    // The body.
    let head = request(
        "POST",
        "/v1/predict",
        &[("content-type", "image/jpeg"), ("content-length", "100")],
        b"",
    );
    let mut slow = service.connect();
    slow.write_all(&head).expect("a connection");
    read(&mut slow).refuses(408, "slow_body");
    // A byte now and then does not help.
    let mut slow = service.connect();
    slow.write_all(&head).expect("a connection");
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(400) {
        let _ = slow.write_all(b"x");
        std::thread::sleep(Duration::from_millis(50));
    }
    read(&mut slow).refuses(408, "slow_body");
    // The headers, and a connection that says nothing.
    let beginning = b"GET /healthz HTTP/1.1\r\nhost: loc";
    for (beginning, status) in [(&beginning[..], 408), (b"", 0)] {
        let mut silent = service.connect();
        silent.write_all(beginning).expect("a connection");
        let start = Instant::now();
        let found = read(&mut silent);
        assert_eq!(found.status, status, "{found:?}");
        if status != 0 {
            found.refuses(status, "slow_headers");
        }
        assert!(
            start.elapsed() < Duration::from_secs(10),
            "{:?}",
            start.elapsed()
        );
    }
    // One that has had its answer and asks nothing more.
    let mut idle = service.connect();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n")
        .expect("a connection");
    let start = Instant::now();
    let found = read(&mut idle);
    assert_eq!(found.status, 200);
    // Without another word.
    assert!(found.body.ends_with('}'), "{found:?}");
    assert!(!found.body.contains("HTTP"), "{found:?}");
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
    assert_eq!(service.get("/healthz").status, 200);
}

#[test]
fn more_connections_than_it_takes() {
    let service = start(Bounds {
        max_connections: 2,
        ..Bounds::default()
    });
    let held = [service.connect(), service.connect()];
    let start = Instant::now();
    // The two may still be on their way.
    while service.get("/healthz").status == 200 {
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "connections are not counted"
        );
    }
    let found = service.get("/healthz");
    found.refuses(503, "busy");
    ends_the_connection(&found);
    drop(held);
    let start = Instant::now();
    while service.get("/healthz").status != 200 {
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "places do not become free"
        );
    }
    good(&service);
}

#[test]
fn before_the_model_is_there() {
    let (go, told) = channel::<()>();
    let load = move || {
        told.recv().expect("a word");
        served()
    };
    let (ready, is_ready) = channel();
    let service = start_loading(settings(Bounds::default()), load, move || {
        ready.send(()).expect("a listener");
    });
    assert_eq!(service.get("/healthz").status, 200);
    service.get("/readyz").refuses(503, "loading");
    service.get("/v1/model").refuses(503, "loading");
    service
        .post("/v1/predict", "image/jpeg", &bytes_of(IMAGE))
        .refuses(503, "loading");
    go.send(()).expect("a listener");
    is_ready
        .recv_timeout(Duration::from_secs(60))
        .expect("it is ready");
    assert_eq!(service.get("/readyz").status, 200);
    good(&service);
}

#[test]
fn what_is_under_way_is_answered_before_the_end() {
    let service = start(Bounds {
        batch_delay: Duration::from_millis(700),
        ..Bounds::default()
    });
    let address = service.address;
    let mut under_way = service.connect();
    let bytes = request(
        "POST",
        "/v1/predict",
        &[("content-type", "image/jpeg")],
        &bytes_of(IMAGE),
    );
    under_way.write_all(&bytes).expect("a connection");
    let start = Instant::now();
    while service.metric("promptsrc_queued_images") < 1.0 {
        assert!(
            start.elapsed() < Duration::from_secs(5),
            "the request does not arrive"
        );
    }
    assert!(service.stopped(), "something was left");
    assert_eq!(read(&mut under_way).status, 200);
    assert!(
        std::net::TcpStream::connect(address).is_err(),
        "it still listens"
    );
}

#[test]
fn names_of_any_characters() {
    let service = start(Bounds::default());
    let image = STANDARD.encode(bytes_of(IMAGE));
    let names = [
        "<script>alert(1)</script>",
        "\u{1f408}\u{200d}\u{2b1b}",
        "\u{202e}txet",
        "a\u{0}b",
        "\x1b[2J",
        "' OR 1=1 --",
        "../../etc/passwd",
        "{}",
        "\u{fffd}\u{fffe}",
    ];
    let document = json!({"images": [{"name": "\u{202e}gpj\"\r\nx: y", "data": image}], "names": names, "top_k": 100});
    let found = service.post(
        "/v1/predict",
        "application/json",
        document.to_string().as_bytes(),
    );
    assert_eq!(found.status, 200, "{found:?}");
    let found = found.json();
    assert_eq!(found["predictions"][0]["image"], "\u{202e}gpj\"\r\nx: y");
    let top = found["predictions"][0]["top"].as_array().expect("a list");
    let mut answered: Vec<&str> = top
        .iter()
        .filter_map(|named| named["name"].as_str())
        .collect();
    answered.sort_unstable();
    let mut names = names.to_vec();
    names.sort_unstable();
    assert_eq!(answered, names);
    good(&service);
}
