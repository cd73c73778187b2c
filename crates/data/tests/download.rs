//! Downloads against a server on this machine that behaves well, badly, or not at all.
#![cfg(feature = "download")]

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use kiln_data::dataset;
use kiln_data::download::{CheckSum, DownloadError, FetchOptions, RemoteFile, fetch};
use md5::{Digest, Md5};

const NAME: &str = "images.gz";

const OPTIONS: FetchOptions = FetchOptions { offline: false, timeout: Duration::from_secs(20), progress: false };

/// More than any buffer on the way.
fn content() -> Vec<u8> {
    (0..600_000u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}

fn md5(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a server does with one connection.
#[derive(Clone)]
enum Reply {
    /// Status line and headers (without Connection), and the body.
    Answer(String, Vec<u8>),
    /// The same, and then silence on an open connection.
    Stall(String, Vec<u8>),
    /// As `Answer`, after a while.
    Late(Duration, String, Vec<u8>),
}

fn ok(body: &[u8]) -> Reply {
    Reply::Answer(format!("200 OK\r\nContent-Length: {}", body.len()), body.to_vec())
}

fn partial(body: &[u8], start: usize, total: usize) -> Reply {
    let last = start + body.len() - 1;
    let head =
        format!("206 Partial Content\r\nContent-Length: {}\r\nContent-Range: bytes {start}-{last}/{total}", body.len());
    Reply::Answer(head, body.to_vec())
}

fn status(line: &str) -> Reply {
    Reply::Answer(format!("{line}\r\nContent-Length: 0"), Vec::new())
}

/// A server on a free port that answers its connections in order with the given replies, the last one repeated.
struct Server {
    url: String,
    /// The head of each request, in lower case.
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(replies: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/{NAME}", listener.local_addr().unwrap());
        let requests = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&requests);
        thread::spawn(move || {
            for (index, connection) in listener.incoming().enumerate() {
                let (reply, log) = (replies[index.min(replies.len() - 1)].clone(), Arc::clone(&log));
                // The client may hang up in the middle, which is what some tests are about.
                thread::spawn(move || connection.and_then(|connection| answer(connection, reply, &log)));
            }
        });
        Self { url, requests }
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    /// The Range header of each request.
    fn ranges(&self) -> Vec<Option<String>> {
        let range = |head: &String| head.lines().find_map(|line| line.strip_prefix("range: ").map(str::to_owned));
        self.requests().iter().map(range).collect()
    }
}

fn answer(mut connection: TcpStream, reply: Reply, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut head = String::new();
    let mut reader = BufReader::new(connection.try_clone()?);
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    log.lock().unwrap().push(head.to_lowercase());
    let (head, body, stall) = match reply {
        Reply::Answer(head, body) => (head, body, false),
        Reply::Stall(head, body) => (head, body, true),
        Reply::Late(wait, head, body) => {
            thread::sleep(wait);
            (head, body, false)
        }
    };
    if !head.is_empty() {
        write!(connection, "HTTP/1.1 {head}\r\nConnection: close\r\n\r\n")?;
    }
    connection.write_all(&body)?;
    if stall {
        thread::sleep(Duration::from_secs(30));
    }
    Ok(())
}

/// Fetches the content from some addresses into a folder.
fn get(urls: &[&str], folder: &Path, options: FetchOptions) -> Result<PathBuf, DownloadError> {
    fetch(&RemoteFile { name: NAME, urls, sum: CheckSum::Md5(&md5(&content())), size: None }, folder, options)
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The folder has the file, complete, and nothing else.
fn assert_done(folder: &Path) {
    assert_eq!(names(folder), [NAME]);
    assert!(fs::read(folder.join(NAME)).unwrap() == content());
}

fn assert_one_line(error: &DownloadError, parts: &[&str]) {
    let message = error.to_string();
    assert!(!message.contains('\n'), "{message}");
    for part in parts {
        assert!(message.contains(part), "{part:?} is not in {message:?}");
    }
}

#[test]
fn a_file_is_downloaded_once() {
    let server = Server::start(vec![ok(&content())]);
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("new/folder");
    assert_eq!(get(&[&server.url], &inner, OPTIONS).unwrap(), inner.join(NAME));
    assert_done(&inner);
    get(&[&server.url], &inner, OPTIONS).unwrap();
    assert_eq!(server.requests().len(), 1, "the second time the file was there");
}

#[test]
fn a_wrong_sum_is_removed_and_the_next_address_tried() {
    let (wrong, good) = (Server::start(vec![ok(b"an error page")]), Server::start(vec![ok(&content())]));
    let folder = tempfile::tempdir().unwrap();
    get(&[&wrong.url, &good.url], folder.path(), OPTIONS).unwrap();
    assert_done(folder.path());
    assert_eq!(good.ranges(), [None], "nothing of the wrong file is continued");

    let folder = tempfile::tempdir().unwrap();
    let error = get(&[&wrong.url], folder.path(), OPTIONS).unwrap_err();
    let sum = md5(b"an error page");
    assert_one_line(&error, &[NAME, &wrong.url, &sum, "by hand", folder.path().to_str().unwrap()]);
    assert_eq!(names(folder.path()), ["images.gz.lock"]);
}

#[test]
fn errors_of_http_are_named_with_their_addresses() {
    let missing = Server::start(vec![status("404 Not Found")]);
    let broken = Server::start(vec![status("503 Service Unavailable")]);
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/{NAME}", listener.local_addr().unwrap())
    };
    let folder = tempfile::tempdir().unwrap();
    let error = get(&[&missing.url, &broken.url, &closed], folder.path(), OPTIONS).unwrap_err();
    assert_one_line(&error, &[&missing.url, "HTTP status 404", &broken.url, "HTTP status 503", &closed, "by hand"]);

    let good = Server::start(vec![ok(&content())]);
    get(&[&missing.url, &closed, &good.url], folder.path(), OPTIONS).unwrap();
    assert_done(folder.path());
}

#[test]
fn a_short_body_is_an_error_and_is_continued_later() {
    let content = content();
    let head = format!("200 OK\r\nContent-Length: {}", content.len());
    let server = Server::start(vec![
        Reply::Answer(head, content[..250_000].to_vec()),
        partial(&content[250_000..], 250_000, content.len()),
    ]);
    let folder = tempfile::tempdir().unwrap();
    let error = get(&[&server.url], folder.path(), OPTIONS).unwrap_err();
    assert_one_line(&error, &[&server.url, "after 250000 bytes: the connection was closed"]);
    assert_eq!(fs::read(folder.path().join("images.gz.part")).unwrap().len(), 250_000);

    get(&[&server.url], folder.path(), OPTIONS).unwrap();
    assert_done(folder.path());
    assert_eq!(server.ranges(), [None, Some("bytes=250000-".to_owned())]);
}

#[test]
fn what_one_address_began_another_one_finishes() {
    let content = content();
    let head = format!("200 OK\r\nContent-Length: {}", content.len());
    let first = Server::start(vec![Reply::Answer(head, content[..100_000].to_vec())]);
    let second = Server::start(vec![partial(&content[100_000..], 100_000, content.len())]);
    let folder = tempfile::tempdir().unwrap();
    get(&[&first.url, &second.url], folder.path(), OPTIONS).unwrap();
    assert_done(folder.path());
}

#[test]
fn a_silent_server_does_not_hold_us_up() {
    let head = format!("200 OK\r\nContent-Length: {}", content().len());
    let silent = Server::start(vec![Reply::Stall(String::new(), Vec::new())]);
    let stuck = Server::start(vec![Reply::Stall(head, content()[..50_000].to_vec())]);
    let folder = tempfile::tempdir().unwrap();
    let options = FetchOptions { timeout: Duration::from_millis(200), ..OPTIONS };
    let start = Instant::now();
    let error = get(&[&silent.url, &stuck.url], folder.path(), options).unwrap_err();
    // Far below the 30 seconds that the server is silent, far above what a busy machine needs.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert_one_line(&error, &[&format!("{}: timed out", silent.url), "after 50000 bytes: timed out"]);
    assert_eq!(fs::read(folder.path().join("images.gz.part")).unwrap(), content()[..50_000]);
}

/// A folder with an interrupted download of the first `length` bytes.
fn interrupted(length: usize) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("images.gz.part"), &content()[..length]).unwrap();
    folder
}

#[test]
fn an_interrupted_download_is_resumed() {
    let content = content();
    let server = Server::start(vec![partial(&content[400_000..], 400_000, content.len())]);
    let folder = interrupted(400_000);
    get(&[&server.url], folder.path(), OPTIONS).unwrap();
    assert_done(folder.path());
    assert_eq!(server.ranges(), [Some("bytes=400000-".to_owned())]);

    // All there, only not renamed: nothing is asked for.
    let folder = interrupted(content.len());
    get(&[&server.url], folder.path(), OPTIONS).unwrap();
    assert_done(folder.path());
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn servers_that_cannot_resume_start_over() {
    let content = content();
    let from_the_start = ok(&content);
    let answers = [
        ("ignores Range", vec![from_the_start.clone()], 1),
        ("sends another part", vec![partial(&content[9..], 9, content.len()), from_the_start.clone()], 2),
        ("has no such part", vec![status("416 Range Not Satisfiable"), from_the_start], 2),
    ];
    for (name, replies, requests) in answers {
        let server = Server::start(replies);
        let folder = interrupted(300_000);
        get(&[&server.url], folder.path(), OPTIONS).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_done(folder.path());
        assert_eq!(server.requests().len(), requests, "{name}");
    }
}

#[test]
fn a_part_of_something_else_is_thrown_away() {
    let content = content();
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("images.gz.part"), vec![7; 1000]).unwrap();
    let server = Server::start(vec![partial(&content[1000..], 1000, content.len()), ok(&content)]);
    get(&[&server.url], folder.path(), OPTIONS).unwrap();
    assert_done(folder.path());
    assert_eq!(server.ranges(), [Some("bytes=1000-".to_owned()), None]);
}

#[test]
fn a_wrong_file_is_replaced_and_kept_aside() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(NAME), "mine").unwrap();

    // As long as there is no better one, it stays.
    let missing = Server::start(vec![status("404 Not Found")]);
    get(&[&missing.url], folder.path(), OPTIONS).unwrap_err();
    assert_eq!(fs::read_to_string(folder.path().join(NAME)).unwrap(), "mine");

    let server = Server::start(vec![ok(&content())]);
    get(&[&server.url], folder.path(), OPTIONS).unwrap();
    assert!(fs::read(folder.path().join(NAME)).unwrap() == content());
    assert_eq!(fs::read_to_string(folder.path().join("images.gz.wrong")).unwrap(), "mine");
}

#[test]
fn offline_opens_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}/{NAME}", listener.local_addr().unwrap());
    let options = FetchOptions { offline: true, ..OPTIONS };
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("mnist");

    let error = get(&[&url], &inner, options).unwrap_err();
    assert!(matches!(error, DownloadError::Offline { .. }));
    assert_one_line(&error, &[NAME, inner.to_str().unwrap()]);
    assert!(!inner.exists(), "nothing is created");

    fs::write(folder.path().join(NAME), "wrong").unwrap();
    let error = get(&[&url], folder.path(), options).unwrap_err();
    assert!(matches!(error, DownloadError::WrongSum { .. }));
    assert_one_line(&error, &[NAME, &md5(b"wrong"), &md5(&content())]);

    fs::write(folder.path().join(NAME), content()).unwrap();
    get(&[&url], folder.path(), options).unwrap();
    assert_eq!(listener.accept().map(|_| ()).map_err(|error| error.kind()), Err(ErrorKind::WouldBlock));
}

/// Locks belong to the open file, so two threads stand for two processes.
#[test]
fn two_downloads_of_one_file_share_the_work() {
    let content = content();
    let head = format!("200 OK\r\nContent-Length: {}", content.len());
    let server = Server::start(vec![Reply::Late(Duration::from_millis(300), head, content)]);
    let folder = tempfile::tempdir().unwrap();
    thread::scope(|scope| {
        let downloads: Vec<_> =
            (0..4).map(|_| scope.spawn(|| get(&[&server.url], folder.path(), OPTIONS).unwrap())).collect();
        downloads.into_iter().for_each(|download| assert_eq!(download.join().unwrap(), folder.path().join(NAME)));
    });
    assert_done(folder.path());
    assert_eq!(server.requests().len(), 1);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    let error = get(&["http://127.0.0.1:9/"], &file.join("folder"), OPTIONS).unwrap_err();
    assert_one_line(&error, &[file.to_str().unwrap()]);
}

#[test]
fn the_tables_are_complete() {
    let idx = [
        "train-images-idx3-ubyte.gz",
        "train-labels-idx1-ubyte.gz",
        "t10k-images-idx3-ubyte.gz",
        "t10k-labels-idx1-ubyte.gz",
    ];
    let expected: [(&str, &[&str]); 5] = [
        ("mnist", &idx),
        ("fashion-mnist", &idx),
        ("kmnist", &idx),
        ("cifar10", &["cifar-10-binary.tar.gz"]),
        ("cifar100", &["cifar-100-binary.tar.gz"]),
    ];
    for (dataset, expected) in expected {
        let dataset = dataset::find(dataset).unwrap();
        let names: Vec<&str> = dataset.files.iter().map(|file| file.name).collect();
        assert_eq!(names, expected);
        for file in dataset.files {
            assert!(file.md5.len() == 32 && file.md5.bytes().all(|digit| b"0123456789abcdef".contains(&digit)));
            let urls = dataset.urls(file);
            assert!(!urls.is_empty() && urls.iter().all(|url| url.ends_with(file.name)));
        }
    }
    assert!(dataset::find("imagenet").is_none());
}
