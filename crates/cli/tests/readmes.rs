//! The two READMEs are kept in step: the same commands and code, in the same order.

use std::path::Path;

fn blocks(name: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    let mut blocks = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            inside = !inside;
            if inside {
                blocks.push(format!("{}\n", line.trim()));
            }
        } else if inside {
            // Comments are translated, what is typed is not.
            let typed = line.split(" # ").next().unwrap_or_default().trim_end();
            let block: &mut String = blocks.last_mut().unwrap();
            block.push_str(typed);
            block.push('\n');
        }
    }
    assert!(!inside, "{name}: a block is not closed");
    blocks
}

#[test]
fn both_readmes_have_the_same_commands() {
    let english = blocks("README.md");
    assert!(english.len() >= 7, "{} blocks", english.len());
    assert!(english[0].contains("cargo run -p train\n") && english[0].contains("cargo run -p infer"));
    assert_eq!(english, blocks("README.zh-CN.md"));
}

/// Figures are the same in both languages.
#[test]
fn both_readmes_have_the_same_figures() {
    let figures = |name: &str| {
        let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)).unwrap();
        let rows = text.lines().filter(|line| line.trim_start().starts_with('|') && line.contains('`'));
        rows.map(|row| row.split('|').skip(2).map(str::trim).collect::<Vec<_>>().join("|")).collect::<Vec<_>>()
    };
    assert!(figures("README.md").len() >= 4);
    assert_eq!(figures("README.md"), figures("README.zh-CN.md"));
}

/// A reader who follows a link must arrive.
#[test]
fn links_of_the_readmes_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    for name in ["README.md", "README.zh-CN.md", "assets/README.md"] {
        let text = std::fs::read_to_string(root.join(name)).unwrap();
        let folder = root.join(name).parent().unwrap().to_owned();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            assert!(target.starts_with("http") || folder.join(target).exists(), "{name}: {target}");
        }
    }
}
