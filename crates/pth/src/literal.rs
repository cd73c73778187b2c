//! Scalars and strings of a pickle.

use crate::cursor::Cursor;
use crate::error::PickleError;
use crate::opcode::*;
use crate::value::Value;

/// Reads what follows an opcode that pushes a scalar or a string.
pub(crate) fn read<'a>(opcode: u8, cursor: &mut Cursor<'a>) -> Result<Value<'a>, PickleError> {
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

/// The value of an opcode that is not followed by a line; nothing if the pickle ends in it.
fn binary<'a>(opcode: u8, cursor: &mut Cursor<'a>) -> Result<Option<Value<'a>>, PickleError> {
    Ok(match opcode {
        NONE => Some(Value::None),
        NEWTRUE => Some(Value::Bool(true)),
        NEWFALSE => Some(Value::Bool(false)),
        BININT1 => cursor.u8().map(|number| Value::Int(number.into())),
        BININT2 => cursor.u16().map(|number| Value::Int(number.into())),
        BININT => cursor.array().map(|number| Value::Int(i32::from_le_bytes(number).into())),
        BINFLOAT => cursor.array::<8>().map(|_| Value::Float),
        LONG1 | LONG4 => bytes(opcode, cursor).map(long),
        BINSTRING | SHORT_BINSTRING => bytes(opcode, cursor).map(python2_string),
        BINBYTES | SHORT_BINBYTES | BINBYTES8 | BYTEARRAY8 => bytes(opcode, cursor).map(|_| Value::Bytes),
        BINUNICODE | SHORT_BINUNICODE | BINUNICODE8 => match bytes(opcode, cursor).map(str::from_utf8) {
            Some(Ok(text)) => Some(Value::Text(text)),
            // Python can write lone surrogates; no tensor's name has one.
            Some(Err(_)) => Some(Value::Bytes),
            None => None,
        },
        _ => return Err(PickleError::UnknownOpcode(opcode)),
    })
}

/// The bytes that follow their number; how that is written depends on the opcode.
fn bytes<'a>(opcode: u8, cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let length = match opcode {
        LONG1 | SHORT_BINSTRING | SHORT_BINBYTES | SHORT_BINUNICODE => cursor.u8()?.into(),
        BINUNICODE8 | BINBYTES8 | BYTEARRAY8 => usize::try_from(cursor.u64()?).ok()?,
        _ => usize::try_from(cursor.u32()?).ok()?,
    };
    cursor.take(length)
}

/// Python 2 has one type for bytes and text, and its torch used it for names.
fn python2_string(bytes: &[u8]) -> Value<'_> {
    str::from_utf8(bytes).map_or(Value::Bytes, Value::Text)
}

/// An integer in two's complement of as many bytes as it needs.
fn long(bytes: &[u8]) -> Value<'_> {
    let mut wide = if bytes.last().is_some_and(|&top| top >= 0x80) { [0xff; 8] } else { [0; 8] };
    match wide.get_mut(..bytes.len()) {
        Some(low) => {
            low.copy_from_slice(bytes);
            Value::Int(i64::from_le_bytes(wide))
        }
        None => Value::Long(bytes),
    }
}

/// A decimal number; protocol 1 writes booleans and long integers so.
fn integer(line: &str) -> Result<Value<'_>, PickleError> {
    let digits = line.strip_suffix('L').unwrap_or(line);
    match line {
        "00" => Ok(Value::Bool(false)),
        "01" => Ok(Value::Bool(true)),
        _ => match digits.parse() {
            Ok(number) => Ok(Value::Int(number)),
            Err(_) if digits.strip_prefix('-').unwrap_or(digits).bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(Value::Long(digits.as_bytes()))
            }
            Err(_) => Err(PickleError::Malformed("an integer has other characters than digits")),
        },
    }
}
