//! The page, in a real browser. `KILN_SCREENSHOTS=FOLDER` keeps pictures of it.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::json;

use crate::webdriver::{Browser, DESKTOP, Look, PHONE};
use crate::{Limits, Running, sample, sample_path, source};

/// The strokes of a seven.
const SEVEN: [(f64, f64); 7] =
    [(0.3, 0.25), (0.5, 0.25), (0.7, 0.25), (0.62, 0.4), (0.54, 0.55), (0.47, 0.7), (0.42, 0.8)];

/// Those of a one.
const ONE: [(f64, f64); 4] = [(0.5, 0.2), (0.5, 0.4), (0.5, 0.6), (0.5, 0.8)];

const ARROW_DOWN: &str = "\u{e015}";
const ARROW_RIGHT: &str = "\u{e014}";
const ARROW_LEFT: &str = "\u{e012}";
const TAB: &str = "\u{e004}";
const DELETE: &str = "\u{e017}";

fn page(look: Look, limits: Limits) -> Option<(Running, Browser)> {
    let browser = Browser::start(look)?;
    let running = Running::start(limits);
    browser.open(&format!("http://{}/", running.address));
    browser.wait("return document.querySelectorAll('#bars li').length === 10");
    Some((running, browser))
}

/// Waits for an answer and checks that it is this one.
fn assert_answer(browser: &Browser, expected: &str) {
    browser.wait(&format!("return document.getElementById('best').textContent === '{expected}'"));
}

/// Waits until the layers of the newest picture are shown.
fn wait_for_layers(browser: &Browser) {
    browser.wait("return !document.getElementById('inside').hidden && document.querySelectorAll('#layers [role=tab]').length > 5");
    // No answer is on its way any more.
    browser.wait(
        "const now = performance.getEntriesByType('resource').length;
         const before = window.seen; window.seen = now; return before === now",
    );
}

/// How many pixels of a canvas are neither black nor clear.
fn coloured(browser: &Browser, id: &str) -> u64 {
    let script = format!(
        "const canvas = document.getElementById('{id}');
         const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
         let count = 0;
         for (let at = 0; at < data.length; at += 4) count += data[at] + data[at + 1] + data[at + 2] > 150 && data[at + 3] > 0;
         return count"
    );
    browser.run(&script).as_u64().expect("a count")
}

/// Drops a file on the page, as a desktop would.
fn drop_file(browser: &Browser, name: &str, bytes: &[u8]) {
    let script = format!(
        "const bytes = Uint8Array.from(atob('{}'), (letter) => letter.charCodeAt(0));
         const carried = new DataTransfer();
         carried.items.add(new File([bytes], '{name}'));
         for (const kind of ['dragenter', 'dragover', 'drop']) {{
           document.getElementById('pad').dispatchEvent(
             new DragEvent(kind, {{ dataTransfer: carried, bubbles: true, cancelable: true }}));
         }}",
        BASE64_STANDARD.encode(bytes)
    );
    browser.run(&script);
}

#[test]
fn strokes_are_answered_and_explained_while_they_are_drawn() {
    let Some((_running, browser)) = page(DESKTOP, Limits::default()) else { return };
    browser.screenshot("desktop-empty");
    browser.draw("#pad", "mouse", &SEVEN);
    assert_answer(&browser, "7");
    let sure = browser.run("return document.querySelector('#bars .first .share').textContent");
    assert!(sure.as_str().is_some_and(|share| share.ends_with('%')), "{sure}");
    // Who listens is told once the hand rests.
    browser.wait("return /^7, .*% sure$/.test(document.getElementById('spoken').textContent)");
    wait_for_layers(&browser);
    for id in ["saw", "cam", "maps"] {
        assert!(coloured(&browser, id) > 20, "nothing is drawn in {id}");
    }
    browser.screenshot("desktop");

    // Another layer, by the keyboard.
    let shown = "return document.getElementById('maps-text').textContent";
    let first = browser.run(shown);
    browser.run("document.querySelector('#layers [aria-selected=true]').focus()");
    browser.press(&[ARROW_RIGHT, ARROW_RIGHT]);
    let other = browser.run(shown);
    assert_ne!(first, other);
    assert_eq!(browser.run("return document.activeElement.getAttribute('aria-selected')"), "true");

    // A new picture has a new answer, and none once it is taken back.
    browser.click("#clear");
    assert_answer(&browser, "–");
    assert_eq!(browser.run("return document.getElementById('inside').hidden"), true);
    browser.draw("#pad", "mouse", &ONE);
    assert_answer(&browser, "1");
    browser.click("#undo");
    assert_answer(&browser, "–");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn a_finger_draws_on_a_phone_and_nothing_is_cut_off() {
    for (name, look) in [
        ("phone", PHONE),
        ("phone-chinese-dark", Look { dark: true, language: "zh-CN", ..PHONE }),
        ("desktop-dark", Look { dark: true, ..DESKTOP }),
        ("desktop-chinese", Look { language: "zh-CN", ..DESKTOP }),
    ] {
        let Some((_running, browser)) = page(look, Limits::default()) else { return };
        browser.draw("#pad", if look.phone { "touch" } else { "mouse" }, &SEVEN);
        assert_answer(&browser, "7");
        wait_for_layers(&browser);
        let widths = browser.run("return [document.documentElement.scrollWidth, innerWidth]");
        assert!(widths[0].as_u64() <= widths[1].as_u64(), "{name} scrolls sideways: {widths}");
        let small = browser.run(
            "return [...document.querySelectorAll('button, select')].filter((button) => button.offsetParent)
               .map((button) => button.getBoundingClientRect()).filter((box) => box.width < 40 || box.height < 40).length",
        );
        assert_eq!(small, 0, "buttons that fingers miss");
        let language = if look.language == "en-GB" { "en" } else { "zh-Hans" };
        assert_eq!(browser.run("return document.documentElement.lang"), language);
        let text = browser.run("return document.querySelector('#answer-title').textContent");
        assert_eq!(text, if language == "en" { "Answer" } else { "结果" });
        if look.dark {
            let ground = browser.run("return getComputedStyle(document.body).backgroundColor");
            assert_eq!(ground, "rgb(21, 18, 15)");
        }
        browser.screenshot(name);
    }
}

#[test]
fn the_keyboard_is_enough() {
    let Some((_running, browser)) = page(DESKTOP, Limits::default()) else { return };
    // The first stop leads past the head, to the drawing area.
    browser.press(&[TAB]);
    assert_eq!(browser.run("return document.activeElement.className"), "skip");
    browser.press(&["\u{e007}"]);
    browser.run("document.getElementById('pad').focus()");
    browser.press(&[ARROW_LEFT, ARROW_RIGHT, " "]);
    browser.wait("return document.getElementById('spoken').textContent === 'Pen on the paper'");
    browser.press(&[ARROW_DOWN; 20]);
    browser.press(&[" "]);
    assert_answer(&browser, "1");
    assert_eq!(browser.run("return document.getElementById('pen').hidden"), false);
    browser.press(&[DELETE]);
    assert_answer(&browser, "–");
    // Everything that can be reached says what it is.
    let nameless = browser.run(
        "return [...document.querySelectorAll('button, select, input, canvas[role], [tabindex=\"0\"], section')]
           .filter((one) => one.offsetParent && !one.textContent.trim() && !one.getAttribute('aria-label')
             && !one.getAttribute('aria-labelledby') && !one.labels?.length && one.getAttribute('aria-hidden') !== 'true'
             && one.id !== 'cam' && one.id !== 'maps')
           .map((one) => one.outerHTML.slice(0, 80))",
    );
    assert_eq!(nameless, json!([]));
}

#[test]
fn the_language_is_switched_and_kept() {
    let Some((running, browser)) = page(DESKTOP, Limits::default()) else { return };
    browser.click("#language");
    let clear = "return document.getElementById('clear').textContent";
    assert_eq!(browser.run(clear), "清空");
    browser.open(&format!("http://{}/", running.address));
    assert_eq!(browser.wait(clear), "清空");
    let unknown = browser.run(
        "return [...document.querySelectorAll('[data-word]')].filter((one) => one.textContent === 'undefined').length",
    );
    assert_eq!(unknown, 0);
}

#[test]
fn pictures_are_dropped_and_chosen_and_bad_ones_are_told_of() {
    let limits = Limits { body: 1 << 20, ..Limits::default() };
    let Some((_running, browser)) = page(DESKTOP, limits) else { return };
    drop_file(&browser, "3.png", &sample("3.png"));
    assert_answer(&browser, "3");
    browser.wait("return !document.getElementById('region').hidden");
    wait_for_layers(&browser);
    browser.screenshot("dropped");
    browser.type_into("#file", sample_path("5.png").to_str().expect("text"));
    assert_answer(&browser, "5");

    let problem = "return document.getElementById('problem').textContent";
    drop_file(&browser, "notes.txt", b"no picture");
    assert_eq!(browser.wait(problem), "This is not a PNG, JPEG, BMP, WebP or GIF picture.");
    assert_answer(&browser, "–");
    browser.screenshot("problem");
    drop_file(&browser, "cut.png", &sample("3.png")[..500]);
    browser.wait("return document.getElementById('problem').textContent.startsWith('This picture is damaged')");
    drop_file(&browser, "large.png", &vec![0; (1 << 20) + 1]);
    browser.wait("return document.getElementById('problem').textContent === 'This file is too large.'");

    // Drawing goes on as if nothing had happened.
    browser.draw("#pad", "mouse", &SEVEN);
    assert_answer(&browser, "7");
    assert_eq!(browser.run("return document.getElementById('problem').hidden"), true);
}

#[test]
fn another_model_is_chosen_and_a_server_that_is_gone_is_told_of() {
    let Some(browser) = Browser::start(DESKTOP) else { return };
    let sources = vec![source("first", "built-in"), source("second", "built-in")];
    let mut running = Running::serving(sources, Limits::default());
    browser.open(&format!("http://{}/", running.address));
    browser.wait("return document.querySelectorAll('#model option').length === 2");
    browser.draw("#pad", "mouse", &SEVEN);
    assert_answer(&browser, "7");
    browser.run("const model = document.getElementById('model'); model.value = 'second'; model.dispatchEvent(new Event('change'))");
    browser.wait(
        "return performance.getEntriesByType('resource').some(({ name }) => name.includes('predict?model=second'))",
    );
    assert_answer(&browser, "7");
    running.shut_down();
    browser.click("#clear");
    browser.draw("#pad", "mouse", &ONE);
    browser.wait("return document.getElementById('problem').textContent.startsWith('The server does not answer')");
}
