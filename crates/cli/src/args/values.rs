//! Parsers of option values.

use std::net::{IpAddr, Ipv4Addr};

use promptsrc::calibration::{SetMethod, UnknownScore, check_rate};
use promptsrc_clip::Activation;

/// Shots per class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shots {
    /// This number of images.
    Some(usize),
    /// Every image.
    All,
}

/// A number of shots per class, or "all".
pub fn shots(text: &str) -> Result<Shots, String> {
    match text {
        "all" => Ok(Shots::All),
        _ => positive(text)
            .map(Shots::Some)
            .map_err(|e| format!("{e}, or \"all\"")),
    }
}

/// More than the cores of any machine; to start even more threads would only take time.
const MOST_THREADS: usize = 1024;

/// A number of threads.
pub fn threads(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(n) if (1..=MOST_THREADS).contains(&n) => Ok(n),
        _ => Err(format!("expected a whole number from 1 to {MOST_THREADS}")),
    }
}

/// A whole number of at least 1.
pub fn positive(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected a whole number of at least 1".to_string()),
        Ok(n) => Ok(n),
    }
}

/// A rate above 0 and below 1.
pub fn rate(text: &str) -> Result<f64, String> {
    let rate: Option<f64> = text.parse().ok();
    let rate = rate.filter(|rate| check_rate(*rate).is_ok());
    rate.ok_or_else(|| "expected a number above 0 and below 1, such as 0.95".to_string())
}

/// A kind of prediction sets.
pub fn set_method(name: &str) -> Result<SetMethod, String> {
    name.parse()
        .map_err(|_| "expected lac, aps or raps".to_string())
}

/// An IP address, or `localhost`.
pub fn address(text: &str) -> Result<IpAddr, String> {
    match text.eq_ignore_ascii_case("localhost") {
        true => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        false => text
            .parse()
            .map_err(|_| "expected an IP address of this machine, or localhost".to_string()),
    }
}

/// A score of unknown classes.
pub fn unknown_score(name: &str) -> Result<UnknownScore, String> {
    name.parse()
        .map_err(|_| "expected mcm, mcm-unscaled, max-logit or energy".to_string())
}

/// A method that learns.
pub fn learning_method(name: &str) -> Result<String, String> {
    use promptsrc::methods::{Family, find};
    match find(name).map(|method| method.family()) {
        Ok(Family::Frozen) => {
            let method = name.to_string();
            Err(promptsrc::ConfigError::NothingToTrain { method }.to_string())
        }
        Ok(_) => Ok(name.to_string()),
        Err(error) => Err(error.to_string()),
    }
}

/// A method whose trainer saves checkpoints that can be read.
pub fn method_of_checkpoints(name: &str) -> Result<String, String> {
    use promptsrc_reference::checkpoint::{Form, is_saved_by_the_reference};
    if is_saved_by_the_reference(name) {
        return Ok(name.to_string());
    }
    let known = Form::ALL.iter().flat_map(|form| form.methods()).copied();
    let known: Vec<&str> = known.collect();
    Err(format!("expected one of {}", known.join(", ")))
}

/// An activation of the towers' blocks.
pub fn activation(name: &str) -> Result<Activation, String> {
    match name.replace('_', "-").as_str() {
        "quick-gelu" | "quickgelu" => Ok(Activation::QuickGelu),
        "gelu" => Ok(Activation::Gelu),
        _ => Err("expected quick-gelu or gelu".to_string()),
    }
}

/// Attention heads of the image and of the text tower.
pub fn heads(text: &str) -> Result<[usize; 2], String> {
    let two = text.split_once(',').and_then(|(image, text)| {
        let [image, text] = [image, text].map(|heads| positive(heads.trim()).ok());
        Some([image?, text?])
    });
    two.ok_or_else(|| {
        "expected the heads of the image and of the text tower, such as 12,8".to_string()
    })
}
