//! The pickle opcodes that occur in torch's files.
//!
//! These are all the opcodes that Python writes in protocols 1 to 5 for a file that torch can read. Missing are those
//! of protocol 0 (which turns storages into plain text that torch cannot read back either), of the extension registry,
//! and of out-of-band buffers.

macro_rules! opcodes {
    ($($name:ident = $code:literal),* $(,)?) => {
        $(pub(crate) const $name: u8 = $code;)*
    };
}

// The pickle as a whole.
opcodes! { PROTO = 0x80, FRAME = 0x95, STOP = b'.' }

// The stack and the memo.
opcodes! {
    MARK = b'(', POP = b'0', POP_MARK = b'1', DUP = b'2',
    BINGET = b'h', LONG_BINGET = b'j', BINPUT = b'q', LONG_BINPUT = b'r', MEMOIZE = 0x94,
}

// Scalars.
opcodes! {
    NONE = b'N', NEWTRUE = 0x88, NEWFALSE = 0x89,
    INT = b'I', LONG = b'L', BININT = b'J', BININT1 = b'K', BININT2 = b'M', LONG1 = 0x8a, LONG4 = 0x8b, BINFLOAT = b'G',
}

// Strings.
opcodes! {
    BINSTRING = b'T', SHORT_BINSTRING = b'U', BINUNICODE = b'X', SHORT_BINUNICODE = 0x8c, BINUNICODE8 = 0x8d,
    BINBYTES = b'B', SHORT_BINBYTES = b'C', BINBYTES8 = 0x8e, BYTEARRAY8 = 0x96,
}

// Containers.
opcodes! {
    EMPTY_TUPLE = b')', TUPLE = b't', TUPLE1 = 0x85, TUPLE2 = 0x86, TUPLE3 = 0x87,
    EMPTY_LIST = b']', APPEND = b'a', APPENDS = b'e',
    EMPTY_DICT = b'}', SETITEM = b's', SETITEMS = b'u',
    EMPTY_SET = 0x8f, ADDITEMS = 0x90, FROZENSET = 0x91,
}

// Objects.
opcodes! {
    GLOBAL = b'c', STACK_GLOBAL = 0x93, BINPERSID = b'Q',
    REDUCE = b'R', BUILD = b'b', OBJ = b'o', NEWOBJ = 0x81, NEWOBJ_EX = 0x92,
}
