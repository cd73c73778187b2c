//! Measures how well photographs of digits are read, on synthetic ones of MNIST's test digits.
//!
//! ```text
//! cargo run -p kiln --example photographs -- [--count N] [--style NAME]... [--sheet FILE.png] [--write DIR | --read DIR]
//! ```
//!
//! Prints a table by style, and writes a sheet of the photographs that are read wrong. `--write` keeps the photographs as
//! `DIR/STYLE/N-CLASS.jpg`; `--read` measures those in such a folder, whoever made them.

mod draw;
mod scene;
mod sheet;
mod styles;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use kiln::Classifier;
use kiln::data::dataset::idx;

use kiln::data::{Picture, preprocess::Fitted};
use kiln::image::RgbImage;

use draw::Draw;
use sheet::Entry;
use styles::STYLES;

/// The seed of all photographs.
const SEED: u64 = 28;

#[derive(Default)]
struct Flags {
    count: Option<usize>,
    styles: Vec<String>,
    sheet: Option<PathBuf>,
    write: Option<PathBuf>,
    read: Option<PathBuf>,
    /// Print each photograph that is read wrong.
    verbose: bool,
}

/// A photograph as a file, and its class.
struct Photograph {
    name: String,
    class: usize,
    file: Vec<u8>,
}

/// A photograph read.
struct Reading {
    name: String,
    class: usize,
    picture: Picture,
    fitted: Fitted,
    answer: usize,
    confidence: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let flags = parse()?;
    let classifier = Classifier::digits()?;
    let mut wrong = Vec::new();
    let mut confidences = Vec::new();
    let mut all = [0, 0];
    println!("{:<26} pictures  right       %  (95 % interval)   blank  several    ms", "style");
    for (name, photographs) in groups(&flags)? {
        let total = photographs.len();
        let (readings, time) = read(&classifier, photographs)?;
        let right = readings.iter().filter(|reading| reading.answer == reading.class).count();
        let blank = readings.iter().filter(|reading| !reading.fitted.found_ink).count();
        let several = readings.iter().filter(|reading| reading.fitted.digits_found > 1).count();
        row(&name, right, total, &format!("{blank:5}  {several:7}  {:4.0}", time.as_secs_f64() * 1e3 / total as f64));
        all = [all[0] + right, all[1] + total];
        confidences.extend(readings.iter().map(|reading| (reading.confidence, reading.answer == reading.class)));
        for reading in readings.into_iter().filter(|reading| reading.answer != reading.class) {
            if flags.verbose {
                println!(
                    "    {}: {} read as {}, {:.2}",
                    reading.name, reading.class, reading.answer, reading.confidence
                );
            }
            wrong.push(entry(reading));
        }
    }
    row("all", all[0], all[1], "");
    rejection(&confidences);
    match &flags.sheet {
        Some(path) => Ok(sheet::write(&wrong, path)?),
        None => Ok(()),
    }
}

fn parse() -> Result<Flags, Box<dyn Error>> {
    let mut flags = Flags::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(flag) = arguments.next() {
        if flag == "--verbose" {
            flags.verbose = true;
            continue;
        }
        let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
        match flag.as_str() {
            "--count" => flags.count = Some(value.parse()?),
            "--style" => flags.styles.push(value),
            "--sheet" => flags.sheet = Some(value.into()),
            "--write" => flags.write = Some(value.into()),
            "--read" => flags.read = Some(value.into()),
            _ => return Err(format!("unknown flag {flag}").into()),
        }
    }
    Ok(flags)
}

/// The photographs of each style.
type Groups = Box<dyn Iterator<Item = (String, Vec<Photograph>)>>;

fn groups(flags: &Flags) -> Result<Groups, Box<dyn Error>> {
    let (wanted, count) = (flags.styles.clone(), flags.count);
    let chosen = move |name: &str| wanted.is_empty() || wanted.iter().any(|style| style == name);
    if let Some(folder) = &flags.read {
        let mut folders: Vec<PathBuf> =
            std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        folders.retain(|path| path.is_dir());
        folders.sort();
        let named =
            folders.into_iter().map(|path| (path.file_name().unwrap_or_default().to_string_lossy().into_owned(), path));
        return Ok(Box::new(named.filter(move |(name, _)| chosen(name)).map(move |(name, path)| {
            let mut photographs = stored(&path).unwrap_or_default();
            photographs.truncate(count.unwrap_or(usize::MAX));
            (name, photographs)
        })));
    }
    let mnist = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/mnist");
    let images = idx::read_images(&idx::find(&mnist, "t10k-images-idx3-ubyte")?)?;
    let labels = idx::read_labels(&idx::find(&mnist, "t10k-labels-idx1-ubyte")?)?;
    let (count, folder) = (count.unwrap_or(200), flags.write.clone());
    Ok(Box::new(STYLES.iter().enumerate().filter(move |(_, style)| chosen(style.name)).map(move |(index, style)| {
        let make = |number: usize| {
            let mut draw = Draw::new(SEED, index as u64, number as u64);
            let digit = draw.below(labels.len());
            let file = scene::photograph(style, &images.pixels[digit * 784..][..784], &mut draw);
            let class = usize::from(labels[digit]);
            Photograph { name: format!("{number:03}-{class}"), class, file }
        };
        let photographs = in_parallel((0..count).collect(), make);
        if let Some(folder) = &folder {
            let folder = folder.join(style.name);
            std::fs::create_dir_all(&folder).expect("a folder for the photographs");
            for Photograph { name, file, .. } in &photographs {
                std::fs::write(folder.join(format!("{name}.jpg")), file).expect("a photograph can be written");
            }
        }
        (style.name.to_owned(), photographs)
    })))
}

/// The photographs in a folder: `NAME-CLASS.jpg` or `.png`.
fn stored(folder: &Path) -> Result<Vec<Photograph>, Box<dyn Error>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
    paths.sort();
    let mut photographs = Vec::new();
    for path in paths {
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let class = name.rsplit('-').next().and_then(|class| class.parse().ok());
        let class = class.ok_or_else(|| format!("{}: no class at the end of the name", path.display()))?;
        photographs.push(Photograph { name, class, file: std::fs::read(&path)? });
    }
    Ok(photographs)
}

/// Maps in order, on all cores.
fn in_parallel<T: Send, U: Send>(items: Vec<T>, map: impl Fn(T) -> U + Sync) -> Vec<U> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = items.len().div_ceil(threads).max(1);
    let mut items = items.into_iter();
    std::thread::scope(|scope| {
        let mut workers = Vec::new();
        loop {
            let part: Vec<T> = items.by_ref().take(share).collect();
            if part.is_empty() {
                break;
            }
            let map = &map;
            workers.push(scope.spawn(move || part.into_iter().map(map).collect::<Vec<U>>()));
        }
        workers.into_iter().flat_map(|worker| worker.join().expect("no worker panics")).collect()
    })
}

/// Reads photographs; also the time that the reader took, of all together.
fn read(classifier: &Classifier, photographs: Vec<Photograph>) -> Result<(Vec<Reading>, Duration), kiln::Error> {
    let fitted = in_parallel(photographs, |photograph| {
        let picture = scene::decode(&photograph.file);
        let start = Instant::now();
        let fitted = classifier.preprocess().pixels(&picture);
        (photograph, picture, fitted, start.elapsed())
    });
    let pixels: Vec<u8> = fitted.iter().flat_map(|(_, _, fitted, _)| fitted.pixels.iter().copied()).collect();
    let logits = classifier.logits_of_pixels(&pixels)?;
    let time = fitted.iter().map(|(.., time)| time).sum();
    let readings = fitted.into_iter().zip(logits.chunks_exact(10)).map(|((photograph, picture, fitted, _), logits)| {
        let best = kiln::model::top(logits, 1, 1.0)[0];
        let Photograph { name, class, .. } = photograph;
        Reading { name, class, picture, fitted, answer: best.class, confidence: best.confidence }
    });
    Ok((readings.collect(), time))
}

fn row(name: &str, right: usize, total: usize, rest: &str) {
    let (low, high) = wilson(right, total);
    let percent = 100.0 * right as f64 / total as f64;
    println!("{name:<26} {total:8}  {right:5}  {percent:6.2}  ({low:6.2} - {high:6.2})  {rest}");
}

/// Wilson's interval for a share, in per cent.
fn wilson(right: usize, total: usize) -> (f64, f64) {
    let (n, z) = (total as f64, 1.96f64);
    let share = right as f64 / n;
    let middle = share + z * z / (2.0 * n);
    let half = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
    let scale = 100.0 / (1.0 + z * z / n);
    ((middle - half) * scale, (middle + half) * scale)
}

/// What `infer --reject-below` would do.
fn rejection(confidences: &[(f64, bool)]) {
    println!("\nreject below  right rejected  wrong rejected  right of the rest");
    for limit in [0.5, 0.6, 0.7, 0.8, 0.9, 0.95] {
        let count = |right: bool, kept: bool| {
            confidences.iter().filter(|&&(confidence, is)| is == right && (confidence >= limit) == kept).count()
        };
        let (lost, caught, kept) = (count(true, false), count(false, false), count(true, true));
        let wrong = count(false, true);
        let share = |part: usize, whole: usize| 100.0 * part as f64 / whole.max(1) as f64;
        println!(
            "{limit:12}  {:12.2} %  {:12.1} %  {:15.2} %",
            share(lost, lost + kept),
            share(caught, caught + wrong),
            share(kept, kept + wrong)
        );
    }
}

fn entry(reading: Reading) -> Entry {
    let Reading { class, picture, fitted, answer, confidence, .. } = reading;
    let picture = picture.to_rgb();
    let at = |index: usize| [0, 1, 2].map(|channel| picture.plane(channel)[index]);
    let pixels = (0..picture.height * picture.width).flat_map(at).collect();
    let photograph = RgbImage::from_raw(picture.width as u32, picture.height as u32, pixels).unwrap_or_default();
    let answer = if fitted.found_ink { answer.to_string() } else { "-".to_owned() };
    let caption = format!("{class}>{answer} {:.0}", 100.0 * confidence);
    Entry { photograph, region: fitted.region, seen: fitted.pixels, caption }
}
