//! `serve`: classifies images over HTTP.

mod flags;
mod signals;

use std::io;
use std::net::TcpListener;
use std::process::ExitCode;

use clap::Parser;
use kiln_cli::{Exit, Failure, finish, note};
use serve::{Models, Server};

use flags::Flags;
use signals::{Signal, Signals};

fn main() -> ExitCode {
    finish(serve())
}

fn serve() -> Result<ExitCode, Failure> {
    let flags = Flags::try_parse()?;
    if let Some(generate) = flags.generate {
        return generate.print::<Flags>();
    }
    flags.log.start();
    let (sources, limits) = (flags.models.sources()?, flags.limits.limits()?);
    // Before anything is loaded: a port in use is told at once.
    let listener = listen(&flags)?;
    flags.backend.use_threads()?;
    let models = Models::load(sources, flags.backend.target()?, &limits)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(Exit::Device, format!("cannot start threads: {error}")))?;
    runtime.block_on(async {
        let failed = |error| Failure::new(Exit::Device, format!("cannot wait for signals: {error}"));
        let mut signals = Signals::new().map_err(failed)?;
        let server = Server::start(listener, models, limits)?;
        note(&format!("serving at http://{}/", server.address()));
        while let Signal::Reload = signals.next().await {
            server.reload().await;
        }
        tokio::select! {
            () = server.shut_down() => Ok(ExitCode::SUCCESS),
            // Who asks twice does not want to wait.
            () = signals.ended() => Ok(ExitCode::from(Exit::Interrupted as u8)),
        }
    })
}

fn listen(flags: &Flags) -> Result<TcpListener, Failure> {
    let (host, port) = (&flags.host, flags.port);
    TcpListener::bind((host.as_str(), port)).map_err(|error| {
        let advice = if error.kind() == io::ErrorKind::AddrInUse { "; choose another --port" } else { "" };
        Failure::new(Exit::Device, format!("{host}:{port}: cannot listen: {error}{advice}"))
    })
}
