//! What the tests share.

use kiln_backend::{BackendName, Program, Target};

/// Runs a program on every backend that this build has; a missing GPU is one skipped line, or a failure if required.
pub fn on_every_backend<P: Program<Output = ()> + Clone>(program: P) {
    for backend in BackendName::ALL.into_iter().filter(|name| name.is_compiled()) {
        match Target::find(backend, Default::default()) {
            Ok(target) => target.run(program.clone()),
            Err(error) if std::env::var_os("KILN_REQUIRE_GPU").is_none() => eprintln!("skipped: {error}"),
            Err(error) => panic!("{error}"),
        }
    }
}
