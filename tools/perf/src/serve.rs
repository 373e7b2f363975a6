//! Requests per second of `promptsrc serve` beside the images per second of `promptsrc predict`, its memory, and
//! what it says to requests that are none.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use promptsrc_goldens::noise;
use serde::Serialize;

use crate::failure::Failure;
use crate::random_clip;

/// How to measure.
#[derive(clap::Args)]
pub struct Options {
    /// The command.
    #[arg(long, value_name = "FILE", default_value = "target/release/promptsrc")]
    promptsrc: PathBuf,
    /// CLIP; random: one of ViT-B/16's shape with random weights.
    #[arg(long, value_name = "CLIP", default_value = "random")]
    clip: String,
    /// Folder of images, which the clients send in turn.
    #[arg(long, value_name = "DIR", default_value = "examples/images")]
    images: PathBuf,
    /// Clients, each with a connection of its own.
    #[arg(long, value_name = "N", default_value_t = 32)]
    clients: usize,
    /// Seconds for which they ask.
    #[arg(long, value_name = "S", default_value_t = 60)]
    seconds: u64,
    /// Images that predict takes, after a run with half of them; more where that is too short to measure.
    #[arg(long, value_name = "N", default_value_t = 384)]
    predicted: usize,
    /// Malformed requests afterwards.
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    malformed: usize,
    /// Prints one line of JSON.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Figures {
    clients: usize,
    seconds: f64,
    requests: usize,
    requests_per_second: f64,
    predict_images_per_second: f64,
    /// Requests per second over images per second.
    fraction_of_predict: f64,
    p50_ms: f64,
    p99_ms: f64,
    /// Images of a pass through the image tower, on average.
    images_per_batch: f64,
    /// Resident memory at every sixth of the time.
    rss_mib: Vec<u64>,
    malformed: usize,
    /// Answers to malformed requests by status; 0: the connection was closed, as for noise. A damaged image that
    /// can still be read is answered with 200.
    statuses: Vec<(u16, usize)>,
    rss_after_malformed_mib: u64,
    peak_rss_mib: u64,
    /// Whether an image is answered as before.
    still_answers: bool,
}

/// A service in a process of its own, which ends with this value.
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

const NAMES: &str = "red circle,yellow star,green triangle,blue square,teapot";

/// Runs and prints.
pub fn run(options: &Options) -> Result<(), Failure> {
    let random = match options.clip.as_str() {
        "random" => Some(random_clip::file()?),
        _ => None,
    };
    let clip = match &random {
        Some((_, path)) => path.display().to_string(),
        None => options.clip.clone(),
    };
    let paths = images(&options.images)?;
    let files: Vec<Vec<u8>> = paths.iter().map(std::fs::read).collect::<Result<_, _>>()?;
    let predicted = images_per_second(options, &clip, &paths)?;

    let service = start(options, &clip)?;
    let first = ask(&service.address, &files[0])?;
    let mut rss = Vec::new();
    let stop = AtomicBool::new(false);
    let start = Instant::now();
    let (mut times, seconds) = std::thread::scope(|threads| -> Result<_, Failure> {
        let clients: Vec<_> = (0..options.clients)
            .map(|client| {
                let (address, files, stop) = (&service.address, &files, &stop);
                threads.spawn(move || one_client(address, files, client, stop))
            })
            .collect();
        for _ in 0..6 {
            std::thread::sleep(Duration::from_secs(options.seconds) / 6);
            rss.push(memory(&service.process, "VmRSS:")?);
        }
        stop.store(true, Ordering::Relaxed);
        let mut times = Vec::new();
        for client in clients {
            let found = client.join().map_err(|_| "a client panicked")??;
            times.extend(found);
        }
        Ok((times, start.elapsed().as_secs_f64()))
    })?;
    times.sort_by(f64::total_cmp);
    let at = |part: f64| {
        let place = ((times.len() as f64 * part) as usize).min(times.len().saturating_sub(1));
        times.get(place).copied().unwrap_or(0.0) * 1e3
    };
    let metrics = get(&service.address, "/metrics")?;
    let number = |name: &str| -> f64 {
        let line = metrics.lines().find_map(|line| line.strip_prefix(name));
        line.and_then(|rest| rest.trim().parse().ok())
            .unwrap_or(0.0)
    };
    let per_batch = number("promptsrc_batch_images_sum") / number("promptsrc_batch_images_count");
    let statuses = malformed(&service.address, &files[0], options.malformed);
    let rate = times.len() as f64 / seconds;
    let figures = Figures {
        clients: options.clients,
        seconds,
        requests: times.len(),
        requests_per_second: rate,
        predict_images_per_second: predicted,
        fraction_of_predict: rate / predicted,
        p50_ms: at(0.5),
        p99_ms: at(0.99),
        images_per_batch: per_batch,
        rss_mib: rss,
        malformed: options.malformed,
        statuses,
        rss_after_malformed_mib: memory(&service.process, "VmRSS:")?,
        peak_rss_mib: memory(&service.process, "VmHWM:")?,
        still_answers: ask(&service.address, &files[0])? == first,
    };
    if options.json {
        println!("{}", serde_json::to_string(&figures)?);
        return Ok(());
    }
    println!(
        "{} clients, {:.0} s: {:.1} requests/s, predict {:.1} images/s: {:.2} of it; p50 {:.0} ms, p99 {:.0} ms; \
         {:.1} images per batch\nresident MiB at each sixth: {:?}, at most {}\n{} malformed requests: {:?}, {} MiB \
         afterwards, {}",
        figures.clients,
        figures.seconds,
        figures.requests_per_second,
        figures.predict_images_per_second,
        figures.fraction_of_predict,
        figures.p50_ms,
        figures.p99_ms,
        figures.images_per_batch,
        figures.rss_mib,
        figures.peak_rss_mib,
        figures.malformed,
        figures.statuses,
        figures.rss_after_malformed_mib,
        match figures.still_answers {
            true => "and it answers as before",
            false => "AND IT NO LONGER ANSWERS AS BEFORE",
        }
    );
    Ok(())
}

/// The images below a folder.
fn images(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let found = promptsrc_datasets::images_below(folder)?.images;
    match found.is_empty() {
        true => Err(format!("{}: no images", folder.display()).into()),
        false => Ok(found),
    }
}

/// Images per second of predict, from the time that half of them take beside all: what is done once for all does
/// not count. Of so many that it is a matter of seconds.
fn images_per_second(options: &Options, clip: &str, paths: &[PathBuf]) -> Result<f64, Failure> {
    const SECONDS: f64 = 3.0;
    let mut n = options.predicted.max(2);
    loop {
        let half = predict(options, clip, paths, n / 2)?;
        let all = predict(options, clip, paths, n)?;
        if all - half > SECONDS {
            return Ok((n - n / 2) as f64 / (all - half));
        }
        n *= 4;
    }
}

/// Seconds in which predict classifies so many images.
fn predict(options: &Options, clip: &str, paths: &[PathBuf], n: usize) -> Result<f64, Failure> {
    let list: Vec<String> = paths
        .iter()
        .cycle()
        .take(n)
        .map(|p| p.display().to_string())
        .collect();
    let start = Instant::now();
    let mut process = Command::new(&options.promptsrc)
        .args([
            "predict",
            "--zero-shot",
            "--clip",
            clip,
            "--names",
            NAMES,
            "--format",
            "csv",
            "-",
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    let mut input = process.stdin.take().ok_or("no standard input")?;
    input.write_all(list.join("\n").as_bytes())?;
    drop(input);
    match process.wait()?.success() {
        true => Ok(start.elapsed().as_secs_f64()),
        false => Err("predict failed".into()),
    }
}

fn start(options: &Options, clip: &str) -> Result<Service, Failure> {
    let mut process = Command::new(&options.promptsrc)
        .args([
            "serve",
            "--zero-shot",
            "--clip",
            clip,
            "--names",
            NAMES,
            "--port",
            "0",
        ])
        .env_remove("PROMPTSRC_TOKEN")
        .stdout(Stdio::piped())
        .spawn()?;
    let output = process.stdout.take().ok_or("no standard output")?;
    let mut service = Service {
        process,
        address: String::new(),
    };
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let address = line
        .trim()
        .rsplit_once("http://")
        .map(|(_, address)| address);
    service.address = address.ok_or("the service does not start")?.to_string();
    Ok(service)
}

/// A number of MiB that the system says of a process.
fn memory(process: &Child, what: &str) -> Result<u64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id()))?;
    let line = status.lines().find(|line| line.starts_with(what));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok());
    Ok(kib.ok_or("the system does not say it")? / 1024)
}

/// Seconds of each request of a client that asks until it is told to stop.
fn one_client(
    address: &str,
    files: &[Vec<u8>],
    client: usize,
    stop: &AtomicBool,
) -> Result<Vec<f64>, Failure> {
    let mut stream = BufReader::new(TcpStream::connect(address)?);
    stream.get_ref().set_nodelay(true)?;
    let mut times = Vec::new();
    for file in files.iter().cycle().skip(client) {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let start = Instant::now();
        stream.get_mut().write_all(&request(file))?;
        let (status, body) = read(&mut stream)?;
        if status != 200 {
            return Err(format!("status {status}: {body}").into());
        }
        times.push(start.elapsed().as_secs_f64());
    }
    Ok(times)
}

fn request(file: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /v1/predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/jpeg\r\ncontent-length: {}\r\n\r\n",
        file.len()
    );
    [head.as_bytes(), file].concat()
}

/// Status and body of an answer on a connection that stays open.
fn read(stream: &mut BufReader<TcpStream>) -> Result<(u16, String), Failure> {
    let (mut status, mut length) = (0, 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Err("the connection was closed".into());
        }
        let line = line.trim();
        if line.is_empty() {
            break;
        }
        if status == 0 {
            status = line
                .split(' ')
                .nth(1)
                .and_then(|s| s.parse().ok())
                .unwrap_or(0);
        } else if let Some(("content-length", value)) = line.split_once(": ") {
            length = value.parse()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok((status, String::from_utf8(body)?))
}

/// The answer for an image.
fn ask(address: &str, file: &[u8]) -> Result<String, Failure> {
    let mut stream = BufReader::new(TcpStream::connect(address)?);
    stream.get_mut().write_all(&request(file))?;
    match read(&mut stream)? {
        (200, body) => Ok(body),
        (status, body) => Err(format!("status {status}: {body}").into()),
    }
}

fn get(address: &str, path: &str) -> Result<String, Failure> {
    let mut stream = BufReader::new(TcpStream::connect(address)?);
    let head = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
    stream.get_mut().write_all(head.as_bytes())?;
    Ok(read(&mut stream)?.1)
}

/// Sends requests that are none: damaged and truncated images, forms and JSON, headers and bodies of noise.
fn malformed(address: &str, file: &[u8], n: usize) -> Vec<(u16, usize)> {
    let mut statuses = std::collections::BTreeMap::new();
    for (place, random) in noise(11, n, 1.0).into_iter().enumerate() {
        let random = random.to_bits() as usize;
        let mut image = file.to_vec();
        let (path, media_type, body) = match place % 6 {
            0 => {
                image.truncate(random % file.len());
                ("/v1/predict", "image/jpeg", image)
            }
            1 => {
                let at = random % file.len();
                for byte in image.iter_mut().skip(at).take(16) {
                    *byte ^= random as u8 | 1;
                }
                ("/v1/embed", "image/png", image)
            }
            2 => {
                let text =
                    format!("{{\"images\":[{{\"data\":\"{random}\"}}],\"names\":[1,{random}");
                ("/v1/predict", "application/json", text.into_bytes())
            }
            3 => {
                let media_type = "multipart/form-data; boundary=b";
                let mut body =
                    b"--b\r\nContent-Disposition: form-data; name=\"image\"\r\n\r\n".to_vec();
                body.extend(&image[..random % file.len()]);
                ("/v1/predict", media_type, body)
            }
            4 => ("/v1/predict?top_k=-1&names=%FF%FE", "image/jpeg", image),
            _ => {
                let bytes = noise(random as u64, 64, 1.0);
                let bytes = bytes.iter().flat_map(|value| value.to_le_bytes()).collect();
                ("", "", bytes)
            }
        };
        let bytes = match path {
            "" => body,
            _ => {
                let head = format!(
                    "POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-type: {media_type}\r\n\
                     content-length: {}\r\n\r\n",
                    body.len()
                );
                [head.as_bytes(), &body].concat()
            }
        };
        let status = TcpStream::connect(address).ok().and_then(|mut stream| {
            stream
                .set_read_timeout(Some(Duration::from_secs(60)))
                .ok()?;
            let _ = stream.write_all(&bytes);
            // Noise does not say where it ends. Others wait for their answer, as clients do.
            if path.is_empty() {
                let _ = stream.shutdown(std::net::Shutdown::Write);
            }
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer);
            let answer = String::from_utf8_lossy(&answer).into_owned();
            answer.split(' ').nth(1)?.parse().ok()
        });
        *statuses.entry(status.unwrap_or(0)).or_insert(0) += 1;
    }
    statuses.into_iter().collect()
}
