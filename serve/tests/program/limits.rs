//! What the server refuses, and that it goes on.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::client::{connect, get, post, receive, request};
use crate::{Limits, Running, sample};

fn second() -> Limits {
    Limits { timeout: Duration::from_secs(1), ..Limits::default() }
}

/// Nothing is ever decoded, so what is admitted stays until its time is over.
fn stuck() -> Limits {
    Limits { decoders: 0, queue: 2, images: 2, ..second() }
}

#[test]
fn a_full_queue_is_told_with_the_time_to_try_again() {
    let running = Running::start(stuck());
    let (address, seven) = (running.address, sample("7.png"));
    std::thread::scope(|scope| {
        let ask = || scope.spawn(|| post(address, "/v1/predict", &seven));
        let admitted = [ask(), ask()];
        wait_for(address, "kiln_queue_images 2");
        let refused = ask().join().expect("no panic");
        assert_eq!((refused.status, refused.code().as_str()), (429, "busy"));
        let seconds: u64 = refused.header("retry-after").expect("when to try again").parse().expect("seconds");
        assert!((1..=60).contains(&seconds));
        for answer in admitted {
            assert_eq!(answer.join().expect("no panic").status, 504);
        }
    });
}

#[test]
fn an_answer_that_takes_too_long_is_504() {
    let running = Running::start(stuck());
    let answer = post(running.address, "/v1/predict", &sample("7.png"));
    assert_eq!((answer.status, answer.code().as_str()), (504, "timeout"));
    assert_eq!(get(running.address, "/healthz").status, 200);
}

/// Waits until the metrics have this line.
fn wait_for(address: SocketAddr, line: &str) {
    let start = Instant::now();
    loop {
        let metrics = get(address, "/metrics").text();
        if metrics.lines().any(|there| there == line) {
            return;
        }
        assert!(start.elapsed() < Duration::from_secs(10), "no `{line}` in {metrics}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn bodies_have_bounded_memory_together() {
    let running = Running::start(Limits { body: 1 << 20, memory: 1 << 20, ..Limits::default() });
    // Most of it is there and waits for the rest.
    let whole = request("/v1/predict", "image/png", &vec![0; 900 << 10]);
    let mut first = connect(running.address);
    first.write_all(&whole[..800 << 10]).expect("it is taken");
    wait_for(running.address, &format!("kiln_bodies_bytes {}", (800 << 10) - head(&whole)));
    let second = post(running.address, "/v1/predict", &vec![0; 900 << 10]);
    assert_eq!((second.status, second.code().as_str()), (429, "busy"));
    first.write_all(&whole[800 << 10..]).expect("it is taken");
    assert_eq!(receive(first).status, 415);
    wait_for(running.address, "kiln_bodies_bytes 0");
}

/// Bytes before the body.
fn head(request: &[u8]) -> usize {
    request.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4
}

#[test]
fn who_sends_too_much_is_told_so_even_while_it_sends() {
    let running = Running::start(Limits { body: 1 << 20, ..Limits::default() });
    for _ in 0..20 {
        let mut stream = connect(running.address);
        let whole = request("/v1/predict", "image/png", &vec![0; 12 << 20]);
        stream.write_all(&whole).expect("all of it is taken");
        let answer = receive(stream);
        assert_eq!((answer.status, answer.code().as_str()), (413, "body-too-large"));
    }
}

#[test]
fn a_head_that_comes_byte_by_byte_is_not_waited_for() {
    let running = Running::start(second());
    let mut stream = connect(running.address);
    let start = Instant::now();
    let mut answer = Vec::new();
    for byte in b"POST /v1/predict HTTP/1.1\r\nHost: kiln\r\nX-Slow: ".iter().chain([b'x'; 200].iter()) {
        if stream.write_all(&[*byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    let _ = stream.read_to_end(&mut answer);
    assert!(start.elapsed() < Duration::from_secs(20));
    assert!(!answer.starts_with(b"HTTP/1.1 200"));
    assert_eq!(get(running.address, "/healthz").status, 200);
}

#[test]
fn a_body_that_comes_byte_by_byte_gets_408() {
    let running = Running::start(second());
    let whole = request("/v1/predict", "image/png", &sample("7.png"));
    let mut stream = connect(running.address);
    stream.write_all(&whole[..whole.len() - 100]).expect("it is taken");
    let answer = receive(stream);
    assert_eq!((answer.status, answer.code().as_str()), (408, "slow-body"));
    assert_eq!(post(running.address, "/v1/predict", &sample("7.png")).status, 200);
}

#[test]
fn a_body_that_does_not_say_how_long_it_is_is_bounded_too() {
    let running = Running::start(Limits { body: 1 << 20, ..Limits::default() });
    let mut stream = connect(running.address);
    let head = "POST /v1/predict HTTP/1.1\r\nHost: kiln\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("it is taken");
    let chunk = [b"10000\r\n".to_vec(), vec![7; 0x1_0000], b"\r\n".to_vec()].concat();
    for _ in 0..20 {
        stream.write_all(&chunk).expect("it is taken");
    }
    stream.write_all(b"0\r\n\r\n").expect("it is taken");
    let answer = receive(stream);
    assert_eq!((answer.status, answer.code().as_str()), (413, "body-too-large"));
}

#[test]
fn who_never_takes_the_answers_is_let_go() {
    let running = Running::start(second());
    let mut greedy = connect(running.address);
    greedy.set_write_timeout(Some(Duration::from_millis(500))).expect("a timeout");
    // Many times what the buffers between the two hold.
    while greedy.write_all(&b"GET /main.js HTTP/1.1\r\nHost: kiln\r\n\r\n".repeat(100)).is_ok() {}
    // This request's own connection is the one.
    wait_for(running.address, "kiln_http_connections 1");
}

#[test]
fn good_and_bad_requests_in_a_crowd_get_what_they_would_get_alone() {
    let running = Running::start(Limits { queue: 1000, ..Limits::default() });
    let (address, seven) = (running.address, sample("7.png"));
    let bodies: [(&[u8], u16); 5] =
        [(&seven, 200), (b"", 400), (b"text", 415), (&seven[..100], 422), (&seven[..seven.len() - 20], 422)];
    std::thread::scope(|scope| {
        for thread in 0..64 {
            let bodies = &bodies;
            scope.spawn(move || {
                for turn in 0..10 {
                    let (body, status) = bodies[(thread + turn) % bodies.len()];
                    let answer = post(address, "/v1/predict", body);
                    assert_eq!(answer.status, status, "{}", answer.text());
                }
            });
        }
    });
}

#[test]
fn connections_are_bounded_and_idle_ones_are_closed() {
    let running = Running::start(Limits { connections: 2, ..second() });
    let mut idle = [connect(running.address), connect(running.address)];
    // Not accepted until one of the two is closed.
    assert_eq!(get(running.address, "/healthz").status, 200);
    let mut nothing = Vec::new();
    let _ = idle[0].read_to_end(&mut nothing);
    assert!(!nothing.starts_with(b"HTTP/1.1 200"));
}

#[test]
fn clients_that_go_away_leave_nothing_behind() {
    let running = Running::start(Limits { wait: Duration::from_millis(100), ..Limits::default() });
    let whole = request("/v1/predict", "image/png", &sample("7.png"));
    for length in (100..whole.len()).step_by(500).chain([whole.len(); 20]) {
        connect(running.address).write_all(&whole[..length]).expect("it is taken");
    }
    // This request's own connection is the one.
    for line in ["kiln_queue_images 0", "kiln_bodies_bytes 0", "kiln_http_connections 1"] {
        wait_for(running.address, line);
    }
}
