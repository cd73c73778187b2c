//! The virtual machine that runs a pickle.
//!
//! It has a stack of objects, marks in the stack, and a memo from which objects can be recalled. It never recurses, and
//! its work and memory are proportional to the number of steps, which [`Arena`] limits.

use std::collections::HashMap;

use crate::cursor::Cursor;
use crate::error::{PickleError, PthError};
use crate::literal;
use crate::object::{Arena, Id, Object, within};
use crate::opcode::*;

/// The most bytes a pickle may have. It contains only the names and shapes of the weights.
const MAX_BYTES: usize = 64 << 20;

/// The most objects the stack may hold.
const MAX_STACK: usize = 1 << 20;

/// The most marks that may be open at once. Python's own pickler fails at a depth of about a thousand.
const MAX_MARKS: usize = 1 << 16;

/// The most objects the memo may hold.
const MAX_MEMO: usize = 1 << 21;

/// The result of running a pickle.
#[derive(Debug)]
pub(crate) struct Pickle<'a> {
    /// All the objects that were built.
    pub arena: Arena<'a>,
    /// The object that was pickled.
    pub root: Id,
    /// The offset of the first byte after the pickle.
    pub end: usize,
}

/// Runs the pickle that starts at byte `start`.
pub(crate) fn parse(bytes: &[u8], start: usize) -> Result<Pickle<'_>, PthError> {
    let limit = bytes.len().min(start.saturating_add(MAX_BYTES));
    let mut unpickler = Unpickler {
        cursor: Cursor::new(&bytes[..limit], start),
        arena: Arena::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    loop {
        let offset = unpickler.cursor.position();
        match unpickler.step() {
            Ok(None) => {}
            Ok(Some(root)) => return Ok(Pickle { arena: unpickler.arena, root, end: unpickler.cursor.position() }),
            Err(PickleError::Truncated) if limit < bytes.len() => {
                let error = PickleError::Limit { what: "bytes in a pickle", limit: MAX_BYTES };
                return Err(PthError::Pickle { offset, error });
            }
            Err(error) => return Err(PthError::Pickle { offset, error }),
        }
    }
}

struct Unpickler<'a> {
    cursor: Cursor<'a>,
    arena: Arena<'a>,
    stack: Vec<Id>,
    /// The height of the stack at each open mark.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Unpickler<'a> {
    /// Executes one opcode; the last one returns the object that was pickled.
    fn step(&mut self) -> Result<Option<Id>, PickleError> {
        self.arena.charge(1)?;
        let opcode = self.cursor.u8().ok_or(PickleError::Truncated)?;
        if opcode == STOP {
            return self.pop().map(Some);
        }
        self.arrange(opcode)?;
        Ok(None)
    }

    /// Opcodes that manage the stack and the memo; passes on all others.
    fn arrange(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            PROTO => match self.cursor.u8().ok_or(PickleError::Truncated)? {
                0..=5 => Ok(()),
                _ => Err(PickleError::Malformed("the pickle's protocol is newer than 5")),
            },
            // Frames only help Python read ahead.
            FRAME => self.cursor.u64().map(drop).ok_or(PickleError::Truncated),
            MARK => {
                within(self.marks.len() + 1, MAX_MARKS, "open marks")?;
                self.marks.push(self.stack.len());
                Ok(())
            }
            POP if self.marks.last() == Some(&self.stack.len()) => {
                self.marks.pop();
                Ok(())
            }
            POP => self.pop().map(drop),
            POP_MARK => self.pop_to_mark().map(drop),
            DUP => {
                let top = self.top()?;
                self.push(top)
            }
            BINGET => {
                let key = self.cursor.u8().map(u32::from);
                self.recall(key)
            }
            LONG_BINGET => {
                let key = self.cursor.u32();
                self.recall(key)
            }
            BINPUT => {
                let key = self.cursor.u8().map(u32::from);
                self.remember(key)
            }
            LONG_BINPUT => {
                let key = self.cursor.u32();
                self.remember(key)
            }
            MEMOIZE => {
                let key = u32::try_from(self.memo.len()).ok();
                self.remember(key)
            }
            _ => self.collect(opcode),
        }
    }

    /// Opcodes that build containers; passes on all others.
    fn collect(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            EMPTY_TUPLE => self.push_new(Object::Tuple(Vec::new())),
            TUPLE1 => self.push_tuple(1),
            TUPLE2 => self.push_tuple(2),
            TUPLE3 => self.push_tuple(3),
            TUPLE => {
                let items = self.pop_to_mark()?;
                self.push_new(Object::Tuple(items))
            }
            EMPTY_LIST => self.push_new(Object::List(Vec::new())),
            EMPTY_DICT => self.push_new(Object::Dict(Vec::new())),
            EMPTY_SET => self.push_new(Object::Set),
            FROZENSET => {
                self.pop_to_mark()?;
                self.push_new(Object::Set)
            }
            APPEND => {
                let item = self.pop()?;
                let list = self.top()?;
                self.arena.append(list, &[item])
            }
            APPENDS | ADDITEMS => {
                let items = self.pop_to_mark()?;
                let list = self.top()?;
                self.arena.append(list, &items)
            }
            SETITEM => {
                let value = self.pop()?;
                let key = self.pop()?;
                let dict = self.top()?;
                self.arena.set_items(dict, &[key, value])
            }
            SETITEMS => {
                let items = self.pop_to_mark()?;
                let dict = self.top()?;
                self.arena.set_items(dict, &items)
            }
            _ => self.construct(opcode),
        }
    }

    /// Opcodes that deal with classes and their instances; all others push a scalar or a string.
    fn construct(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            GLOBAL => {
                let module = literal::line(&mut self.cursor)?;
                let name = literal::line(&mut self.cursor)?;
                self.push_new(Object::of_global(module, name))
            }
            STACK_GLOBAL => {
                let name = self.pop()?;
                let module = self.pop()?;
                let (Some(module), Some(name)) = (self.arena.text(module), self.arena.text(name)) else {
                    return Err(PickleError::Malformed("the name of a class or function is not a string"));
                };
                self.push_new(Object::of_global(module, name))
            }
            BINPERSID => {
                let id = self.pop()?;
                let object = self.arena.persistent(id)?;
                self.push(object)
            }
            REDUCE | NEWOBJ => {
                let arguments = self.pop()?;
                let callable = self.pop()?;
                let object = self.arena.call(callable, arguments)?;
                self.push(object)
            }
            NEWOBJ_EX => {
                // Nothing that is understood takes keyword arguments.
                self.pop()?;
                let arguments = self.pop()?;
                let class = self.pop()?;
                let object = self.arena.call(class, arguments)?;
                self.push(object)
            }
            OBJ => {
                let mut items = self.pop_to_mark()?.into_iter();
                let class = items.next().ok_or(PickleError::Malformed("an object has no class"))?;
                let arguments = self.arena.add(Object::Tuple(items.collect()))?;
                let object = self.arena.call(class, arguments)?;
                self.push(object)
            }
            BUILD => {
                self.pop()?;
                let object = self.top()?;
                self.arena.set_state(object)
            }
            _ => {
                let value = literal::read(opcode, &mut self.cursor)?;
                self.push_new(value)
            }
        }
    }

    fn push(&mut self, id: Id) -> Result<(), PickleError> {
        within(self.stack.len() + 1, MAX_STACK, "values on the stack")?;
        self.stack.push(id);
        Ok(())
    }

    fn push_new(&mut self, value: Object<'a>) -> Result<(), PickleError> {
        let id = self.arena.add(value)?;
        self.push(id)
    }

    fn push_tuple(&mut self, length: usize) -> Result<(), PickleError> {
        let start = self.stack.len().checked_sub(length).filter(|&start| start >= self.floor());
        let start = start.ok_or(EMPTY_STACK)?;
        let items = self.pop_from(start);
        self.push_new(Object::Tuple(items))
    }

    /// The height of the stack at the innermost mark; what lies below is out of reach.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Result<Id, PickleError> {
        self.stack[self.floor()..].last().copied().ok_or(EMPTY_STACK)
    }

    fn pop(&mut self) -> Result<Id, PickleError> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, PickleError> {
        let mark = self.marks.pop().ok_or(PickleError::Malformed("there is no mark on the stack"))?;
        Ok(self.pop_from(mark))
    }

    /// Removes and returns everything above a height. `Vec::split_off` could hand over the stack's entire capacity,
    /// which would make many small tuples use as much memory as many large ones.
    fn pop_from(&mut self, start: usize) -> Vec<Id> {
        let items = self.stack[start..].to_vec();
        self.stack.truncate(start);
        items
    }

    fn recall(&mut self, key: Option<u32>) -> Result<(), PickleError> {
        let key = key.ok_or(PickleError::Truncated)?;
        let id = *self.memo.get(&key).ok_or(PickleError::Malformed("the memo has no such entry"))?;
        self.push(id)
    }

    fn remember(&mut self, key: Option<u32>) -> Result<(), PickleError> {
        let key = key.ok_or(PickleError::Truncated)?;
        let top = self.top()?;
        self.memo.insert(key, top);
        within(self.memo.len(), MAX_MEMO, "values in the memo")
    }
}

const EMPTY_STACK: PickleError = PickleError::Malformed("the stack is empty");
