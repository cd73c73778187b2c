//! What `/metrics` tells Prometheus, in the OpenMetrics text format (<https://prometheus.io/docs/specs/om/open_metrics_spec/>).

use std::sync::atomic::{AtomicI64, AtomicU64};
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The media type of the text.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    path: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Path {
    path: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfModel {
    model: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    model: String,
    outcome: &'static str,
}

/// Counts and durations since the start.
pub struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    seconds: Family<Path, Histogram, fn() -> Histogram>,
    images: Family<Outcome, Counter>,
    decode: Family<OfModel, Histogram, fn() -> Histogram>,
    waited: Family<OfModel, Histogram, fn() -> Histogram>,
    forward: Family<OfModel, Histogram, fn() -> Histogram>,
    batch: Family<OfModel, Histogram, fn() -> Histogram>,
    reloads: Family<Outcome, Counter>,
    /// Connections that are open.
    pub connections: Gauge<i64, AtomicI64>,
    /// Images that have been admitted and not yet answered.
    pub queue: Gauge<i64, AtomicI64>,
    /// Bytes of bodies in memory.
    pub bodies: Gauge<i64, AtomicI64>,
    resident: Gauge<f64, AtomicU64>,
}

/// A tenth of a millisecond to about 26 seconds.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.0001, 2., 19))
}

/// One image to 4,096.
fn sizes() -> Histogram {
    Histogram::new(exponential_buckets(1., 2., 13))
}

impl Metrics {
    /// All zero.
    pub fn new() -> Self {
        let of = |make: fn() -> Histogram| Family::new_with_constructor(make);
        let mut metrics = Self {
            registry: Registry::default(),
            requests: Family::default(),
            seconds: Family::new_with_constructor(durations),
            images: Family::default(),
            decode: of(durations),
            waited: of(durations),
            forward: of(durations),
            batch: of(sizes),
            reloads: Family::default(),
            connections: Gauge::default(),
            queue: Gauge::default(),
            bodies: Gauge::default(),
            resident: Gauge::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("kiln_http_requests", "Requests answered", self.requests.clone());
        let seconds = Unit::Seconds;
        registry.register_with_unit(
            "kiln_http_request_duration",
            "From a request's head to its answer",
            seconds.clone(),
            self.seconds.clone(),
        );
        registry.register("kiln_images", "Images, answered or refused", self.images.clone());
        for (name, help, metric) in [
            ("kiln_image_decode", "Decoding and fitting an image", &self.decode),
            ("kiln_image_wait", "Waiting for a batch to start", &self.waited),
            ("kiln_image_forward", "An image's share of its batch's way through the network", &self.forward),
        ] {
            registry.register_with_unit(name, help, seconds.clone(), metric.clone());
        }
        registry.register(
            "kiln_batch_images",
            "Images that went through the network with an image",
            self.batch.clone(),
        );
        registry.register("kiln_model_reloads", "Attempts to load a model anew", self.reloads.clone());
        registry.register("kiln_http_connections", "Open connections", self.connections.clone());
        registry.register("kiln_queue_images", "Images admitted and not yet answered", self.queue.clone());
        registry.register_with_unit("kiln_bodies", "Bodies in memory", Unit::Bytes, self.bodies.clone());
        registry.register_with_unit("process_resident_memory", "Resident memory", Unit::Bytes, self.resident.clone());
    }

    /// A request was answered. `path` is one of the routes, not what a client made up.
    pub fn answered(&self, path: &str, status: u16, took: Duration) {
        self.requests.get_or_create(&Request { path: path.to_owned(), status }).inc();
        self.seconds.get_or_create(&Path { path: path.to_owned() }).observe(took.as_secs_f64());
    }

    /// An image could not be decoded.
    pub fn refused(&self, model: &str) {
        self.images.get_or_create(&Outcome { model: model.to_owned(), outcome: "refused" }).inc();
    }

    /// An image was classified.
    pub fn classified(&self, model: &str, decode: Duration, waited: Duration, forward: Duration, batch: usize) {
        self.images.get_or_create(&Outcome { model: model.to_owned(), outcome: "answered" }).inc();
        let of = OfModel { model: model.to_owned() };
        self.decode.get_or_create(&of).observe(decode.as_secs_f64());
        self.waited.get_or_create(&of).observe(waited.as_secs_f64());
        self.forward.get_or_create(&of).observe(forward.as_secs_f64());
        self.batch.get_or_create(&of).observe(batch as f64);
    }

    /// A model was loaded anew, or not.
    pub fn reloaded(&self, model: &str, well: bool) {
        let outcome = if well { "loaded" } else { "failed" };
        self.reloads.get_or_create(&Outcome { model: model.to_owned(), outcome }).inc();
    }

    /// The text.
    pub fn text(&self) -> String {
        if let Some(bytes) = resident_memory() {
            self.resident.set(bytes as f64);
        }
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap_or_else(|error| unreachable!("a string takes any text: {error}"));
        text
    }
}

/// Bytes of memory that the process has, where the system says so in `/proc`.
fn resident_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}
