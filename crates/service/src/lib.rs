//! A classifier over HTTP: images in, probabilities of class names out.
//!
//! Requests are read within bounds ([`Bounds`]), their images decoded on a few threads, and answered by one
//! thread that owns the model and takes what waits as one batch. Numbers are those of `promptsrc predict`:
//! an image's do not depend on the images beside it. Every refusal is an answer with a status and a reason,
//! and no answer names a file of the machine.

mod answer;
mod bare_answers;
mod body;
mod bounds;
mod class_cache;
mod connections;
mod count;
mod decoding;
mod engine;
mod fields;
mod guard;
mod handlers;
mod json;
mod metrics;
mod model_card;
mod multipart;
mod names;
mod object;
mod pages;
mod paths;
mod problem;
mod queue;
mod request;
mod response;
mod routes;
mod served;
mod service;
mod settings;
mod state;
mod token;
mod unreadable;
mod worker;

pub use bounds::Bounds;
pub use pages::OPENAPI;
pub use paths::ROUTES;
pub use served::{Model, Served};
pub use service::{Service, ServiceError};
pub use settings::{ServiceSettings, Stop};
pub use token::{Token, TokenError};
