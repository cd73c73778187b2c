//! Zip archives that are hostile, damaged, or written by other tools.

mod common;

use common::*;
use kiln_pth::{PthError, ZipError};

fn pickle() -> Vec<u8> {
    dict(&[("w", tensor(&storage("FloatStorage", "0", 4, b""), 0, &[4], &[1]))])
}

/// Reads an archive after changing its entries.
fn read(change: impl FnOnce(&mut Vec<Entry>)) -> Result<usize, PthError> {
    let mut entries = entries(&pickle());
    change(&mut entries);
    kiln_pth::read(&zip(&entries)).map(|tensors| tensors.len())
}

fn zip_error(change: impl FnOnce(&mut Vec<Entry>)) -> ZipError {
    match read(change) {
        Err(PthError::Zip(error)) => error,
        other => panic!("{other:?}"),
    }
}

/// An extra field with 64-bit sizes.
fn wide(numbers: &[u64]) -> Vec<u8> {
    let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
    bytes([&[1, 0], &u16::try_from(numbers.len()).unwrap().to_le_bytes(), &numbers])
}

#[test]
fn the_folder_and_the_order_of_the_entries_do_not_matter() {
    assert_eq!(read(|_| {}), Ok(1));
    assert_eq!(read(|entries| entries.reverse()), Ok(1));
    let rename = |entries: &mut Vec<Entry>| {
        for entry in entries {
            entry.name = entry.name.replace("net/", "resnet18 é/");
        }
    };
    assert_eq!(read(rename), Ok(1));
    assert_eq!(read(|entries| entries.push(entry("net/data/", b""))), Ok(1), "a folder");
    assert_eq!(read(|entries| entries.push(entry("net/code/x/data.pkl", b"?"))), Ok(1), "a deeper pickle");
}

#[test]
fn the_byte_order_must_be_little() {
    let read = |order: &[u8]| read(|entries| entries[1].data = order.to_vec());
    assert_eq!(read(b"big"), Err(PthError::ByteOrder { order: "big".to_owned() }));
    assert!(matches!(read(b""), Err(PthError::ByteOrder { .. })));
    assert!(matches!(read(b"\xff\n"), Err(PthError::ByteOrder { .. })));
    assert_eq!(self::read(|entries| drop(entries.remove(1))), Ok(1), "as before torch 2.1");
}

#[test]
fn there_must_be_one_pickle() {
    assert_eq!(zip_error(|entries| drop(entries.remove(0))), ZipError::Pickles { count: 0 });
    let second = |entries: &mut Vec<Entry>| entries.push(entry("other/data.pkl", b"N."));
    assert_eq!(zip_error(second), ZipError::Pickles { count: 2 });
    let duplicate = |entries: &mut Vec<Entry>| entries.push(entries[2].clone());
    assert_eq!(zip_error(duplicate), ZipError::Duplicate { name: "net/data/0".to_owned() });
}

#[test]
fn compressed_and_encrypted_entries_are_refused() {
    let stored = |error: &ZipError| matches!(error, ZipError::NotStored { name, .. } if name == "net/data/0");
    assert!(stored(&zip_error(|entries| entries[2].method = 8)));
    assert!(stored(&zip_error(|entries| entries[2].flags = 1)));
}

#[test]
fn entries_with_lying_places_and_sizes_are_refused() {
    let outside = ZipError::Outside { name: "net/data/0".to_owned() };
    assert_eq!(zip_error(|entries| entries[2].size = Some(0x7fff_ffff)), outside);
    assert_eq!(zip_error(|entries| entries[2].offset = Some(0x7fff_ffff)), outside);
    assert!(matches!(zip_error(|entries| entries[2].offset = Some(3)), ZipError::Malformed { .. }));
    assert!(matches!(zip_error(|entries| entries[2].offset = Some(0)), ZipError::Overlap { .. }), "another entry");
    let overlap = ZipError::Overlap { first: "net/data/0".to_owned(), second: "net/version".to_owned() };
    assert_eq!(zip_error(|entries| entries[2].size = Some(17)), overlap);
    assert!(matches!(read(|entries| entries[2].size = Some(15)), Err(PthError::Storage { .. })));
    let mut renamed = zip(&entries(&pickle()));
    renamed[30] = b'N';
    assert!(matches!(kiln_pth::read(&renamed), Err(PthError::Zip(ZipError::Malformed { .. }))), "another name");
    // Without the flag that sizes follow the data, the local header's size counts too.
    assert!(matches!(zip_error(|entries| entries[2].flags = 0), ZipError::Malformed { .. }));
}

#[test]
fn sizes_of_64_bits_are_read_where_they_are_needed() {
    let set = |size: u64| {
        move |entries: &mut Vec<Entry>| {
            entries[2].size = Some(u32::MAX);
            entries[2].extra = bytes([&[9, 0, 1, 0, 7], &wide(&[size, size])]);
        }
    };
    assert_eq!(read(set(16)), Ok(1));
    let outside = ZipError::Outside { name: "net/data/0".to_owned() };
    assert_eq!(zip_error(set(u64::MAX)), outside);
    assert_eq!(zip_error(set(1 << 40)), outside);
    let damaged = |extra: Vec<u8>| {
        zip_error(|entries| {
            entries[2].size = Some(u32::MAX);
            entries[2].extra = extra;
        })
    };
    for extra in [Vec::new(), wide(&[16]), wide(&[16, 15]), vec![1], vec![1, 0, 200, 0, 0]] {
        assert!(matches!(damaged(extra), ZipError::Malformed { .. } | ZipError::Outside { .. }));
    }
}

/// Reads an archive with a 64-bit end record after changing its numbers: the entries, size and offset of the directory.
fn with_wide_end(change: impl FnOnce(&mut [u64; 3]), narrow: bool) -> Result<usize, PthError> {
    let mut file = zip(&entries(&pickle()));
    let mut end = file.split_off(file.len() - 22);
    let field = |at: usize| u64::from(u32::from_le_bytes(end[at..at + 4].try_into().unwrap()));
    let mut numbers = [4, field(12), field(16)];
    change(&mut numbers);
    let place = file.len() as u64;
    let [count, size, offset] = numbers.map(u64::to_le_bytes);
    let versions_and_disks = [0; 12];
    file.extend(bytes([b"PK\x06\x06", &44_u64.to_le_bytes(), &versions_and_disks, &count, &count, &size, &offset]));
    file.extend(bytes([b"PK\x06\x07\0\0\0\0", &place.to_le_bytes(), &1_u32.to_le_bytes()]));
    if !narrow {
        end[8..20].fill(0xff);
    }
    file.extend(end);
    kiln_pth::read(&file).map(|tensors| tensors.len())
}

#[test]
fn the_end_record_of_64_bits_is_read() {
    assert_eq!(with_wide_end(|_| {}, true), Ok(1), "as torch writes it");
    assert_eq!(with_wide_end(|_| {}, false), Ok(1), "as a file of more than 4 GiB has it");
    let counts_and_places: [fn(&mut [u64; 3]); 5] = [
        |numbers| numbers[0] = 3,
        |numbers| numbers[0] = 5,
        |numbers| numbers[0] = u64::MAX,
        |numbers| numbers[2] = u64::MAX,
        |numbers| numbers[2] += 1,
    ];
    for change in counts_and_places {
        for narrow in [true, false] {
            assert!(matches!(with_wide_end(change, narrow), Err(PthError::Zip(_))));
        }
    }
    // The directory ends where the record begins, so the record's size for it must only agree with the other record's.
    let sizes: [fn(&mut [u64; 3]); 2] = [|numbers| numbers[1] = u64::MAX, |numbers| numbers[1] -= 1];
    for change in sizes {
        assert!(matches!(with_wide_end(change, true), Err(PthError::Zip(_))));
    }
}

#[test]
fn the_end_record_must_be_at_the_end() {
    let file = zip(&entries(&pickle()));
    let read = |bytes: &[u8]| kiln_pth::read(bytes).map(|tensors| tensors.len());
    assert_eq!(read(&bytes([&file, b"x"])), Err(PthError::Zip(ZipError::NoEnd)));
    let mut commented = bytes([&file, b"comment"]);
    commented[file.len() - 2] = 7;
    assert_eq!(read(&commented), Ok(1));
    let mut split = file.clone();
    split[file.len() - 18] = 1;
    assert!(matches!(read(&split), Err(PthError::Zip(ZipError::Malformed { .. }))));
    assert_eq!(read(b"PK\x03\x04"), Err(PthError::Zip(ZipError::NoEnd)));
}

/// Many headers with room for many fields that lie in each other, and many end records that lead nowhere.
#[test]
fn a_hostile_archive_is_refused_in_time() {
    let start = std::time::Instant::now();
    let count = 60_000_u32;
    let field = [&[9, 0][..], &[0; 2]].concat();
    let mut file = Vec::new();
    let mut directory = Vec::new();
    for index in 0..count {
        let name = format!("{index:08}");
        let place = u32::try_from(file.len()).unwrap().to_le_bytes();
        let sizes = [0xff; 8];
        file.extend(bytes([b"PK\x03\x04\0\0\x08\x08", &[0; 10], &sizes, b"\x08\0\xfc\xff", name.as_bytes()]));
        directory.extend(bytes([b"PK\x01\x02\0\0\0\0\x08\x08", &[0; 18], b"\x08\0\0\0\0\0", &[0; 8], &place]));
        directory.extend(name.as_bytes());
    }
    file.extend(field.repeat(1 << 14));
    let [size, place] = [directory.len(), file.len()].map(|number| u32::try_from(number).unwrap().to_le_bytes());
    let entries = u16::try_from(count).unwrap().to_le_bytes();
    let end = bytes([b"PK\x05\x06\0\0\0\0", &entries, &entries, &size, &place, &[0; 2]]);
    file.extend(directory);
    let overlap = kiln_pth::read(&bytes([&file, &end]));
    assert!(matches!(overlap, Err(PthError::Zip(ZipError::Overlap { .. }))), "{overlap:?}");
    file.extend(end.repeat(100_000));
    assert!(matches!(kiln_pth::read(&file), Err(PthError::Zip(_))));
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
}

#[test]
fn other_files_are_told_apart() {
    for other in [&b""[..], b"PK", b"\x80\x02N.", b"\x80\x04", b"\x89PNG\r\n", b"{\"w\": 1}", b"ustar"] {
        assert_eq!(kiln_pth::read(other), Err(PthError::UnknownFormat));
    }
}
