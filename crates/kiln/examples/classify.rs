//! Says what is on pictures: `cargo run -p kiln --example classify -- WEIGHTS PICTURE..`.

use std::error::Error;

use kiln::Classifier;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let classifier = match arguments.next() {
        Some(weights) => Classifier::load(weights)?,
        None => return Err("usage: classify WEIGHTS PICTURE..".into()),
    };
    for picture in arguments {
        let answer = classifier.classify_file(&picture)?;
        let three: Vec<_> =
            answer.top(3).iter().map(|class| format!("{} {:.1} %", class.name, 100. * class.probability)).collect();
        println!("{}: {}", picture.display(), three.join(", "));
    }
    Ok(())
}
