//! The arguments of `promptsrc serve`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;

use super::checkpoint::UsedCheckpointArgs;
use super::exif::ExifArg;
use super::values::{address, positive};

#[derive(Args, Debug)]
#[command(override_usage = "promptsrc serve [OPTIONS] <RUN>\n       \
                      promptsrc serve [OPTIONS] --zero-shot --clip <CLIP> --names <A,B,C>")]
pub struct ServeArgs {
    /// Folder of a run, an adapter file or a checkpoint of a Python reference.
    #[arg(value_name = "RUN", required_unless_present = "zero_shot")]
    pub run: Option<PathBuf>,
    /// Serve CLIP without prompts.
    #[arg(long, requires = "clip", conflicts_with = "run")]
    pub zero_shot: bool,
    /// CLIP, as for train [default: the one that the run recorded].
    #[arg(long, value_name = "CLIP")]
    pub clip: Option<String>,
    /// Template with {} for the class name, of CLIP without prompts; can be given more than once
    /// [default: a photo of a {}.].
    #[arg(long, value_name = "TEXT", requires = "zero_shot")]
    pub template: Vec<String>,
    /// Class names of requests that give none, as for predict [default: those of the training].
    #[arg(long, value_name = "A,B,C")]
    pub names: Option<String>,
    /// File of such class names, one per line.
    #[arg(long, value_name = "FILE", conflicts_with = "names")]
    pub names_file: Option<PathBuf>,
    /// Number of class names in an answer, unless a request asks for another one.
    #[arg(long, value_name = "K", default_value = "5", value_parser = positive)]
    pub top_k: usize,
    #[command(flatten)]
    pub checkpoint: UsedCheckpointArgs,
    #[command(flatten)]
    pub exif: ExifArg,
    /// File of a calibration, which is used for requests whose class names are its own [default: the one
    /// beside the adapter, if it is for the same model].
    #[arg(long, value_name = "FILE", conflicts_with = "no_calibration")]
    pub calibration: Option<PathBuf>,
    /// Use no calibration.
    #[arg(long)]
    pub no_calibration: bool,
    /// Address to listen on. One that other machines reach needs a token, or --no-token.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", value_parser = address)]
    pub host: IpAddr,
    /// Port to listen on; 0: one that is free.
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    pub port: u16,
    /// File with the token that requests must carry (Authorization: Bearer TOKEN). Without the option, the
    /// token is that of the environment variable PROMPTSRC_TOKEN, if it is set.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Answer everybody who reaches the address.
    #[arg(long, conflicts_with = "token_file")]
    pub no_token: bool,
    /// Name of this service that requests may be for, beside localhost, while it listens on loopback: that of
    /// a proxy before it. May be repeated.
    #[arg(long, value_name = "NAME")]
    pub allow_host: Vec<String>,
    /// Print a line for each request.
    #[arg(long, short)]
    pub verbose: bool,
    #[command(flatten)]
    pub bounds: BoundArgs,
}

/// What is refused.
#[derive(Args, Debug)]
#[command(next_help_heading = "Bounds")]
pub struct BoundArgs {
    /// Most MiB of a request: 413.
    #[arg(long, value_name = "MIB", default_value = "64", value_parser = positive)]
    pub max_body: usize,
    /// Most images of a request: 413.
    #[arg(long, value_name = "N", default_value = "64", value_parser = positive)]
    pub max_images: usize,
    /// Most class names or texts of a request: 413.
    #[arg(long, value_name = "N", default_value = "1000", value_parser = positive)]
    pub max_names: usize,
    /// Most bytes of a class name: 422.
    #[arg(long, value_name = "N", default_value = "512", value_parser = positive, hide_short_help = true)]
    pub max_name_bytes: usize,
    /// Most pixels of an image, width x height: 413.
    #[arg(long, value_name = "N", default_value = "178956970", value_parser = positive)]
    pub max_pixels: usize,
    /// Most images that are decoded, wait or are being answered: 429.
    #[arg(long, value_name = "N", default_value = "256", value_parser = positive)]
    pub queue: usize,
    /// Most images that are answered at a time; answers do not depend on it.
    #[arg(long, value_name = "N", default_value = "32", value_parser = positive)]
    pub max_batch: usize,
    /// Milliseconds for which a batch waits for more images.
    #[arg(long, value_name = "MS", default_value_t = 0, hide_short_help = true)]
    pub batch_delay_ms: u64,
    /// Most seconds of a request: 408 if its body does not come, 503 if the answer does not.
    #[arg(long, value_name = "S", default_value = "30", value_parser = positive)]
    pub timeout: usize,
    /// Most seconds for the headers of a request, and of a connection without one.
    #[arg(long, value_name = "S", default_value = "10", value_parser = positive, hide_short_help = true)]
    pub header_timeout: usize,
    /// Most connections: 503.
    #[arg(long, value_name = "N", default_value = "256", value_parser = positive)]
    pub max_connections: usize,
    /// Class names of requests whose features are kept.
    #[arg(long, value_name = "N", default_value = "20000", value_parser = positive, hide_short_help = true)]
    pub class_cache: usize,
}
