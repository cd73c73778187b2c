//! Files of every supported format, good and bad.

use std::time::{Duration, Instant};

use kiln_data::picture::{DecodeError, MAX_PIXELS, Picture};

use super::{Noise, largest_difference};

/// (name, content, channels, height, width, allowed difference to Pillow), in the order of decoded.bin.
type File = (&'static str, &'static [u8], usize, usize, usize, u8);

macro_rules! files {
    ($(($name:literal, $channels:literal, $height:literal, $width:literal, $tolerance:literal)),* $(,)?) => {
        &[$(($name, include_bytes!($name).as_slice(), $channels, $height, $width, $tolerance)),*]
    };
}

const FILES: &[File] = files![
    ("gray.png", 1, 16, 24, 0),
    ("gray16.png", 1, 16, 24, 0),
    ("bilevel.png", 1, 16, 24, 0),
    ("palette.png", 3, 16, 24, 0),
    ("rgba.png", 3, 16, 24, 1),
    ("ink.png", 1, 16, 24, 0),
    ("rgb.bmp", 3, 16, 24, 0),
    ("lossless.webp", 3, 16, 24, 0),
    ("rgb.jpg", 3, 16, 24, 2),
    ("gray.jpg", 1, 16, 24, 1),
    ("progressive.jpg", 3, 16, 24, 2),
    ("two-frames.gif", 3, 16, 24, 0),
    ("orientation1.jpg", 1, 16, 24, 1),
    ("orientation2.jpg", 1, 16, 24, 1),
    ("orientation3.jpg", 1, 16, 24, 1),
    ("orientation4.jpg", 1, 16, 24, 1),
    ("orientation5.jpg", 1, 24, 16, 1),
    ("orientation6.jpg", 1, 24, 16, 1),
    ("orientation7.jpg", 1, 24, 16, 1),
    ("orientation8.jpg", 1, 24, 16, 1),
];

/// An animation, lossy with transparency; only its damage is tested.
const TWO_FRAMES: &[u8] = include_bytes!("two-frames.webp");

fn contents() -> impl Iterator<Item = (&'static str, &'static [u8])> {
    FILES.iter().map(|&(name, bytes, ..)| (name, bytes)).chain([("two-frames.webp", TWO_FRAMES)])
}

#[test]
fn every_format_decodes_as_in_pillow() {
    let mut golden = include_bytes!("decoded.bin").as_slice();
    for &(name, bytes, channels, height, width, tolerance) in FILES {
        let picture = Picture::decode(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((picture.channels, picture.height, picture.width), (channels, height, width), "{name}");
        let (expected, rest) = golden.split_at(channels * height * width);
        let difference = largest_difference(&picture.pixels, expected);
        assert!(difference <= tolerance, "{name} differs by {difference}");
        golden = rest;
    }
    assert!(golden.is_empty());
}

#[test]
fn black_ink_on_a_transparent_page_is_black_on_white() {
    let picture = Picture::decode(include_bytes!("ink.png")).unwrap();
    assert_eq!((picture.pixels[0], picture.pixels[5 * 24 + 9]), (255, 0));
}

#[test]
fn errors_say_what_is_wrong_on_one_line() {
    assert_eq!(Picture::decode(b""), Err(DecodeError::Empty));
    for text in [b"hello".as_slice(), b"II*\0tiff is not supported", &[0], &[0xFF; 100]] {
        assert!(matches!(Picture::decode(text), Err(DecodeError::UnknownFormat)), "{text:?}");
    }
    for (name, bytes, ..) in FILES {
        let error = Picture::decode(&bytes[..bytes.len() / 2]).expect_err(name);
        assert!(matches!(error, DecodeError::Damaged { .. }), "{name}: {error:?}");
        let message = error.to_string();
        assert!(message.starts_with("damaged ") && !message.contains('\n'), "{name}: {message}");
    }
}

#[test]
fn enormous_headers_are_rejected_before_anything_is_allocated() {
    let start = Instant::now();
    let mut png = include_bytes!("gray.png").to_vec();
    // IHDR: width and height at 16 and 20, its checksum (CRC-32 of type and content) at 29.
    png[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
    let checksum = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&checksum.to_be_bytes());
    let mut bmp = include_bytes!("rgb.bmp").to_vec();
    bmp[18..26].copy_from_slice(&[0x60, 0xEA, 0, 0, 0x60, 0xEA, 0, 0]);
    let mut gif = include_bytes!("two-frames.gif").to_vec();
    gif[6..10].copy_from_slice(&[0x60, 0xEA, 0x60, 0xEA]);
    for (name, bytes) in [("png", png), ("bmp", bmp), ("gif", gif)] {
        let error = Picture::decode(&bytes).expect_err(name);
        assert_eq!(error, DecodeError::TooLarge { width: 60_000, height: 60_000, max_pixels: MAX_PIXELS }, "{name}");
        assert!(error.to_string().contains("60000x60000"), "{error}");
    }
    // Milliseconds; allocating and clearing 3.6 GB three times would take seconds.
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
}

/// A file that was cut anywhere is an error, or (only a trailer is missing) still the whole picture: never half a one.
#[test]
fn no_part_of_a_file_passes_for_the_whole() {
    for (name, bytes) in contents() {
        let whole = Picture::decode(bytes).unwrap();
        for length in 0..bytes.len() {
            if let Ok(part) = Picture::decode(&bytes[..length]) {
                assert!(part == whole, "{name}: the first {length} of {} bytes gave another picture", bytes.len());
            }
        }
    }
}

/// image-webp 0.2.4 panics on the first two and allocates 4 GB for the third.
#[test]
fn what_the_webp_decoder_does_not_check_is_damage() {
    let frame_size = TWO_FRAMES.windows(3).position(|code| code == [0x9D, 0x01, 0x2A]).unwrap() + 3;
    assert_eq!(TWO_FRAMES[frame_size..frame_size + 4], [24, 0, 16, 0]);
    let changed = |at: usize, value: u8| {
        let mut bytes = TWO_FRAMES.to_vec();
        bytes[at] = value;
        bytes
    };
    let mut metadata = TWO_FRAMES.to_vec();
    metadata.extend(*b"EXIF\xFE\xFF\xFF\xFFII*");
    for bytes in [changed(frame_size, 8), changed(frame_size + 2, 255), metadata] {
        assert!(matches!(Picture::decode(&bytes), Err(DecodeError::Damaged { format: "WebP", .. })));
    }
    assert!(Picture::decode(TWO_FRAMES).is_ok());
}

#[test]
fn flipped_bits_never_panic() {
    let mut noise = Noise(7);
    for (name, bytes) in contents() {
        for round in 0..300 {
            let mut broken = bytes.to_vec();
            for _ in 0..1 + round % 4 {
                let at = noise.next() as usize % broken.len();
                broken[at] ^= 1 << (noise.next() % 8);
            }
            match Picture::decode(&broken) {
                Ok(picture) => assert!(picture.is_consistent(), "{name}"),
                Err(error) => assert!(!error.to_string().contains('\n'), "{name}: {error}"),
            }
        }
    }
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), step))
}
