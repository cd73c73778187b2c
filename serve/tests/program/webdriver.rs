//! A browser, driven by the W3C's protocol (<https://www.w3.org/TR/webdriver2/>), which is JSON over HTTP.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The key under which the protocol names elements.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// How a page is looked at.
#[derive(Clone, Copy)]
pub struct Look {
    pub width: u32,
    pub height: u32,
    pub phone: bool,
    pub dark: bool,
    pub language: &'static str,
}

pub const DESKTOP: Look = Look { width: 1200, height: 900, phone: false, dark: false, language: "en-GB" };
pub const PHONE: Look = Look { width: 360, height: 740, phone: true, dark: false, language: "en-GB" };

/// A browser with an empty profile. It ends with this.
pub struct Browser {
    driver: Child,
    session: String,
    agent: ureq::Agent,
    _profile: TempDir,
}

impl Browser {
    /// Starts it; `None` where there is no chromedriver and none is required.
    pub fn start(look: Look) -> Option<Self> {
        let mut command = Command::new("chromedriver");
        let driver = command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
        let mut driver = match driver {
            Ok(driver) => driver,
            Err(error) if std::env::var_os("KILN_REQUIRE_BROWSER").is_some() => panic!("no chromedriver: {error}"),
            Err(_) => {
                eprintln!("skipped: no chromedriver (Debian: chromium-driver)");
                return None;
            }
        };
        let port = port(&mut driver);
        let profile = TempDir::new().expect("a temporary folder");
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let mut browser =
            Self { driver, session: format!("http://127.0.0.1:{port}/session"), agent, _profile: profile };
        let capabilities = capabilities(look, browser._profile.path());
        let answer = browser.call("", &json!({ "capabilities": { "alwaysMatch": capabilities } }));
        let id = answer["sessionId"].as_str().unwrap_or_else(|| panic!("no session: {answer}"));
        browser.session = format!("{}/{id}", browser.session);
        if look.dark {
            let dark = json!([{ "name": "prefers-color-scheme", "value": "dark" }]);
            browser.developer("Emulation.setEmulatedMedia", &json!({ "features": dark }));
        }
        Some(browser)
    }

    fn call(&self, path: &str, body: &Value) -> Value {
        let request = self.agent.post(format!("{}{path}", self.session)).content_type("application/json");
        let mut response = request.send(body.to_string()).expect("the driver answers");
        let text = response.body_mut().with_config().limit(64 << 20).read_to_string().expect("text");
        let answer: Value = serde_json::from_str(&text).expect("JSON");
        assert!(response.status().is_success(), "{path}: {answer}");
        answer["value"].clone()
    }

    fn developer(&self, command: &str, parameters: &Value) -> Value {
        self.call("/goog/cdp/execute", &json!({ "cmd": command, "params": parameters }))
    }

    /// Opens an address.
    pub fn open(&self, address: &str) {
        self.call("/url", &json!({ "url": address }));
    }

    /// The value of a script's `return`.
    pub fn run(&self, script: &str) -> Value {
        self.call("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until a script returns something true, and gives that.
    pub fn wait(&self, script: &str) -> Value {
        let start = Instant::now();
        loop {
            let value = self.run(script);
            if !matches!(value, Value::Null | Value::Bool(false)) && value != json!("") {
                return value;
            }
            let page = || self.run("return document.body.innerText");
            assert!(start.elapsed() < Duration::from_secs(30), "never true: {script}\n{}", page());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn find(&self, selector: &str) -> String {
        let found = self.call("/element", &json!({ "using": "css selector", "value": selector }));
        found[ELEMENT].as_str().expect("an element").to_owned()
    }

    pub fn click(&self, selector: &str) {
        let element = self.find(selector);
        self.call(&format!("/element/{element}/click"), &json!({}));
    }

    /// Types into an element; a file input takes a path.
    pub fn type_into(&self, selector: &str, text: &str) {
        let element = self.find(selector);
        self.call(&format!("/element/{element}/value"), &json!({ "text": text }));
    }

    /// Presses keys, one after another, wherever the focus is.
    pub fn press(&self, keys: &[&str]) {
        let actions: Vec<_> = keys
            .iter()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })))
            .collect();
        self.call("/actions", &json!({ "actions": [{ "type": "key", "id": "keys", "actions": actions }] }));
    }

    /// Draws a stroke on an element; positions are of 0 to 1.
    pub fn draw(&self, selector: &str, pointer: &str, points: &[(f64, f64)]) {
        let scroll = format!("document.querySelector('{selector}').scrollIntoView({{ block: 'center' }})");
        self.run(&scroll);
        let script = format!(
            "const box = document.querySelector('{selector}').getBoundingClientRect();
             return [box.left, box.top, box.width, box.height]"
        );
        let place: Vec<f64> = serde_json::from_value(self.run(&script)).expect("four numbers");
        let at = |&(x, y): &(f64, f64), duration: u32| {
            let (x, y) = (place[0] + x * place[2], place[1] + y * place[3]);
            json!({ "type": "pointerMove", "duration": duration, "x": x.round(), "y": y.round(), "origin": "viewport" })
        };
        let mut actions = vec![at(&points[0], 0), json!({ "type": "pointerDown", "button": 0 })];
        actions.extend(points[1..].iter().map(|point| at(point, 30)));
        actions.push(json!({ "type": "pointerUp", "button": 0 }));
        let input =
            json!({ "type": "pointer", "id": pointer, "parameters": { "pointerType": pointer }, "actions": actions });
        self.call("/actions", &json!({ "actions": [input] }));
    }

    /// Saves the whole page as a picture into `$KILN_SCREENSHOTS`, if that is set.
    pub fn screenshot(&self, name: &str) {
        let Some(folder) = std::env::var_os("KILN_SCREENSHOTS") else { return };
        let taken = self.developer("Page.captureScreenshot", &json!({ "captureBeyondViewport": true }));
        let png = BASE64_STANDARD.decode(taken["data"].as_str().expect("a picture")).expect("base64");
        std::fs::write(Path::new(&folder).join(format!("{name}.png")), png).expect("a folder that can be written");
    }

    /// What the page wrote to the console, of warnings and worse.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.call("/se/log", &json!({ "type": "browser" }));
        let lines = log.as_array().into_iter().flatten();
        lines.map(|line| line["message"].as_str().unwrap_or_default().to_owned()).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver takes the browser with it, if it is asked to.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

fn port(driver: &mut Child) -> u16 {
    let output = BufReader::new(driver.stdout.take().expect("it is piped"));
    let port = |line: String| line.split("on port ").nth(1)?.trim_end_matches('.').parse().ok();
    output.lines().map_while(Result::ok).filter(|line| line.contains("successfully")).find_map(port).expect("a port")
}

fn capabilities(look: Look, profile: &Path) -> Value {
    let Look { width, height, phone, language, .. } = look;
    let mut arguments: Vec<String> = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--disable-dev-shm-usage",
        "--hide-scrollbars",
    ]
    .map(str::to_owned)
    .into();
    arguments.push(format!("--user-data-dir={}", profile.display()));
    arguments.push(format!("--window-size={width},{height}"));
    arguments.push(format!("--lang={language}"));
    let mut options = json!({ "args": arguments, "prefs": { "intl.accept_languages": language } });
    if phone {
        options["mobileEmulation"] =
            json!({ "deviceMetrics": { "width": width, "height": height, "pixelRatio": 2.0, "touch": true } });
    }
    json!({ "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "WARNING" } })
}
