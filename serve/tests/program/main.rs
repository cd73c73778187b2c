//! The server as its clients meet it.

mod browser;
mod client;
mod endings;
mod explain;
mod limits;
mod models;
mod requests;
mod webdriver;

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use infer::Choice;
use kiln::{BackendName, DeviceChoice, Target};
use serve::{Limits, ModelSource, Models, Server};
use tokio::runtime::Runtime;

/// A server within the test's own process, on a port that is free.
struct Running {
    runtime: Runtime,
    server: Option<Server>,
    address: SocketAddr,
}

impl Running {
    /// With the built-in weights.
    fn start(limits: Limits) -> Self {
        Self::serving(vec![source("digits", "built-in")], limits)
    }

    fn serving(sources: Vec<ModelSource>, limits: Limits) -> Self {
        let target = Target::find(BackendName::NdArray, DeviceChoice::Auto).expect("there is always a CPU");
        let models = Models::load(sources, target, &limits).expect("the weights are there");
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let runtime = Runtime::new().expect("threads");
        let server = runtime.block_on(async { Server::start(listener, models, limits) }).expect("a server");
        Self { runtime, address: server.address(), server: Some(server) }
    }

    fn reload(&self) {
        self.runtime.block_on(self.server.as_ref().expect("it runs").reload());
    }

    fn shut_down(&mut self) {
        let server = self.server.take().expect("it runs");
        self.runtime.block_on(server.shut_down());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.server.is_some() {
            self.shut_down();
        }
    }
}

fn source(name: &str, model: impl Into<PathBuf>) -> ModelSource {
    ModelSource { name: name.to_owned(), choice: Choice { model: Some(model.into()), ..Choice::default() } }
}

/// The bytes of one of the repository's sample digits.
fn sample(name: &str) -> Vec<u8> {
    std::fs::read(sample_path(name)).expect("the samples are in the repository")
}

fn sample_path(name: &str) -> PathBuf {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/samples");
    samples.join(name).canonicalize().expect("the samples are in the repository")
}
