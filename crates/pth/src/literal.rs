//! The operands of opcodes that push a scalar or a string.

use crate::cursor::Cursor;
use crate::error::PickleError;
use crate::object::Object;
use crate::opcode::*;

/// Reads the operand of an opcode that pushes a scalar or a string.
pub(crate) fn read<'a>(opcode: u8, cursor: &mut Cursor<'a>) -> Result<Object<'a>, PickleError> {
    match opcode {
        INT | LONG => line(cursor).and_then(integer),
        _ => binary(opcode, cursor)?.ok_or(PickleError::Truncated),
    }
}

/// Reads a line of text.
pub(crate) fn line<'a>(cursor: &mut Cursor<'a>) -> Result<&'a str, PickleError> {
    let line = cursor.line().ok_or(PickleError::Truncated)?;
    str::from_utf8(line).map_err(|_| PickleError::Malformed("a line of text is not UTF-8"))
}

/// Reads an operand that is not a line of text; `None` if the pickle ends within it.
fn binary<'a>(opcode: u8, cursor: &mut Cursor<'a>) -> Result<Option<Object<'a>>, PickleError> {
    Ok(match opcode {
        NONE => Some(Object::None),
        NEWTRUE => Some(Object::Bool(true)),
        NEWFALSE => Some(Object::Bool(false)),
        BININT1 => cursor.u8().map(|number| Object::Int(number.into())),
        BININT2 => cursor.u16().map(|number| Object::Int(number.into())),
        BININT => cursor.array().map(|number| Object::Int(i32::from_le_bytes(number).into())),
        BINFLOAT => cursor.array::<8>().map(|_| Object::Float),
        LONG1 | LONG4 => bytes(opcode, cursor).map(long),
        BINSTRING | SHORT_BINSTRING => bytes(opcode, cursor).map(python2_string),
        BINBYTES | SHORT_BINBYTES | BINBYTES8 | BYTEARRAY8 => bytes(opcode, cursor).map(|_| Object::Bytes),
        BINUNICODE | SHORT_BINUNICODE | BINUNICODE8 => match bytes(opcode, cursor).map(str::from_utf8) {
            Some(Ok(text)) => Some(Object::Text(text)),
            // Python can write lone surrogates, which UTF-8 cannot; no tensor's name contains one.
            Some(Err(_)) => Some(Object::Bytes),
            None => None,
        },
        _ => return Err(PickleError::UnknownOpcode(opcode)),
    })
}

/// The bytes of an operand that is preceded by its length, whose width depends on the opcode.
fn bytes<'a>(opcode: u8, cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let length = match opcode {
        LONG1 | SHORT_BINSTRING | SHORT_BINBYTES | SHORT_BINUNICODE => cursor.u8()?.into(),
        BINUNICODE8 | BINBYTES8 | BYTEARRAY8 => usize::try_from(cursor.u64()?).ok()?,
        _ => usize::try_from(cursor.u32()?).ok()?,
    };
    cursor.take(length)
}

/// Python 2 has one type for bytes and text, so names may be of either kind.
fn python2_string(bytes: &[u8]) -> Object<'_> {
    str::from_utf8(bytes).map_or(Object::Bytes, Object::Text)
}

/// An integer in two's complement, of any length.
fn long(bytes: &[u8]) -> Object<'_> {
    let mut wide = if bytes.last().is_some_and(|&top| top >= 0x80) { [0xff; 8] } else { [0; 8] };
    match wide.get_mut(..bytes.len()) {
        Some(low) => {
            low.copy_from_slice(bytes);
            Object::Int(i64::from_le_bytes(wide))
        }
        None => Object::Long(bytes),
    }
}

/// An integer in decimal, which is also how protocol 1 writes booleans and long integers.
fn integer(line: &str) -> Result<Object<'_>, PickleError> {
    let digits = line.strip_suffix('L').unwrap_or(line);
    match line {
        "00" => Ok(Object::Bool(false)),
        "01" => Ok(Object::Bool(true)),
        _ => match digits.parse() {
            Ok(number) => Ok(Object::Int(number)),
            Err(_) if digits.strip_prefix('-').unwrap_or(digits).bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(Object::Long(digits.as_bytes()))
            }
            Err(_) => Err(PickleError::Malformed("an integer contains characters other than digits")),
        },
    }
}
