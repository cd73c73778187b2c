//! Connections: accepted up to a limit, closed when they stall, finished at the end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use kiln_cli::{Exit, Failure};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutStream;
use tracing::{debug, info, warn};

use crate::limits::Limits;
use crate::models::Models;
use crate::routes::{App, router};

/// The longest time that a client may take for a request's head, and an idle connection stays open.
const HEAD: Duration = Duration::from_secs(10);

/// The most bytes of a request's head, and what is read of a connection at a time.
const BUFFER: usize = 32 << 10;

/// A server that runs.
pub struct Server {
    address: SocketAddr,
    app: Arc<App>,
    stop: watch::Sender<bool>,
    accepting: JoinHandle<()>,
}

impl Server {
    /// Starts to answer what comes in at a listener, within a tokio runtime.
    ///
    /// # Errors
    /// If the system takes the listener back, or refuses threads.
    pub fn start(listener: std::net::TcpListener, models: Models, limits: Limits) -> Result<Self, Failure> {
        let failed = |error: io::Error| Failure::new(Exit::Device, format!("cannot listen: {error}"));
        listener.set_nonblocking(true).map_err(failed)?;
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let app = Arc::new(App::new(models, limits)?);
        let (stop, stopped) = watch::channel(false);
        let accepting = tokio::spawn(accept(listener, Arc::clone(&app), stopped));
        Ok(Self { address, app, stop, accepting })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Loads all models anew, while requests go on.
    pub async fn reload(&self) {
        let app = Arc::clone(&self.app);
        // What goes wrong is in the log.
        let _ = tokio::task::spawn_blocking(move || app.models.reload(&app.metrics)).await;
    }

    /// Accepts no further connections, finishes what was begun, and returns when that is done, or its time is over.
    pub async fn shut_down(self) {
        self.app.stop();
        let _ = self.stop.send(true);
        let _ = self.accepting.await;
    }
}

async fn accept(listener: TcpListener, app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let routes = router(Arc::clone(&app));
    let places = Arc::new(Semaphore::new(app.limits.connections));
    let open = GracefulShutdown::new();
    loop {
        let (stream, place) = tokio::select! {
            connection = next(&listener, &places) => connection,
            _ = stop.changed() => break,
        };
        serve(stream, place, routes.clone(), &app, &open);
    }
    drop(listener);
    info!(connections = open.count(), "shutting down");
    if timeout(app.limits.timeout, open.shutdown()).await.is_err() {
        warn!("some requests were not finished in time");
    }
}

/// The next connection, once there is a place for it. A system without files is given time to get some back.
async fn next(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    let place = Arc::clone(places).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            Err(error) => {
                warn!("a connection cannot be accepted: {error}");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

fn serve(
    stream: TcpStream,
    place: Option<OwnedSemaphorePermit>,
    routes: Router,
    app: &Arc<App>,
    open: &GracefulShutdown,
) {
    // Answers are written at once; they need not wait to be filled up.
    let _ = stream.set_nodelay(true);
    let mut stream = TimeoutStream::new(stream);
    // A client that does not take its answer.
    stream.set_write_timeout(Some(app.limits.timeout));
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD.min(app.limits.timeout)).max_buf_size(BUFFER);
    let connection = http.serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(routes));
    let connection = open.watch(connection);
    let app = Arc::clone(app);
    tokio::spawn(async move {
        app.metrics.connections.inc();
        if let Err(error) = connection.await {
            debug!("a connection ended: {error}");
        }
        app.metrics.connections.dec();
        drop(place);
    });
}
