//! The virtual machine that a pickle is a program for.
//!
//! It has a stack of values, marks in it, and a memo from which values are fetched again. It never recurses, and its
//! work and memory are proportional to the steps that [`Values`] counts.

use std::collections::HashMap;

use crate::cursor::Cursor;
use crate::error::{PickleError, PthError};
use crate::literal;
use crate::opcode::*;
use crate::value::{Id, Value, Values, within};

/// The bytes that one pickle may have. It holds no weights, only their names and shapes.
const MAX_BYTES: usize = 64 << 20;

/// The values that the stack may hold.
const MAX_STACK: usize = 1 << 20;

/// The marks that may be open. Python's own pickler fails at a depth of about a thousand.
const MAX_MARKS: usize = 1 << 16;

/// The values that the memo may hold.
const MAX_MEMO: usize = 1 << 21;

/// What a pickle holds.
#[derive(Debug)]
pub(crate) struct Pickle<'a> {
    /// All values.
    pub values: Values<'a>,
    /// The value that the pickle is of.
    pub root: Id,
    /// The place after the pickle.
    pub end: usize,
}

/// Runs the pickle that begins at `start`.
pub(crate) fn parse(bytes: &[u8], start: usize) -> Result<Pickle<'_>, PthError> {
    let limit = bytes.len().min(start.saturating_add(MAX_BYTES));
    let mut machine = Machine {
        cursor: Cursor::new(&bytes[..limit], start),
        values: Values::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
    };
    loop {
        let offset = machine.cursor.position();
        match machine.step() {
            Ok(None) => {}
            Ok(Some(root)) => return Ok(Pickle { values: machine.values, root, end: machine.cursor.position() }),
            Err(PickleError::Truncated) if limit < bytes.len() => {
                let error = PickleError::Limit { what: "bytes in a pickle", limit: MAX_BYTES };
                return Err(PthError::Pickle { offset, error });
            }
            Err(error) => return Err(PthError::Pickle { offset, error }),
        }
    }
}

struct Machine<'a> {
    cursor: Cursor<'a>,
    values: Values<'a>,
    stack: Vec<Id>,
    /// The heights that the stack had at the open marks.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    /// Carries out one opcode; after the last one, the value of the pickle.
    fn step(&mut self) -> Result<Option<Id>, PickleError> {
        self.values.charge(1)?;
        let opcode = self.cursor.u8().ok_or(PickleError::Truncated)?;
        if opcode == STOP {
            return self.pop().map(Some);
        }
        self.arrange(opcode)?;
        Ok(None)
    }

    /// The opcodes that arrange the values there are, then all others.
    fn arrange(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            PROTO => match self.cursor.u8().ok_or(PickleError::Truncated)? {
                0..=5 => Ok(()),
                _ => Err(PickleError::Malformed("the pickle's protocol is newer than 5")),
            },
            // Frames only help Python to read ahead.
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

    /// The opcodes of containers, then all others.
    fn collect(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            EMPTY_TUPLE => self.push_new(Value::Tuple(Vec::new())),
            TUPLE1 => self.push_tuple(1),
            TUPLE2 => self.push_tuple(2),
            TUPLE3 => self.push_tuple(3),
            TUPLE => {
                let items = self.pop_to_mark()?;
                self.push_new(Value::Tuple(items))
            }
            EMPTY_LIST => self.push_new(Value::List(Vec::new())),
            EMPTY_DICT => self.push_new(Value::Dict(Vec::new())),
            EMPTY_SET => self.push_new(Value::Set),
            FROZENSET => {
                self.pop_to_mark()?;
                self.push_new(Value::Set)
            }
            APPEND => {
                let item = self.pop()?;
                let list = self.top()?;
                self.values.append(list, &[item])
            }
            APPENDS | ADDITEMS => {
                let items = self.pop_to_mark()?;
                let list = self.top()?;
                self.values.append(list, &items)
            }
            SETITEM => {
                let value = self.pop()?;
                let key = self.pop()?;
                let dict = self.top()?;
                self.values.set_items(dict, &[key, value])
            }
            SETITEMS => {
                let items = self.pop_to_mark()?;
                let dict = self.top()?;
                self.values.set_items(dict, &items)
            }
            _ => self.construct(opcode),
        }
    }

    /// The opcodes of classes and objects, then all others: those that push a scalar or a string.
    fn construct(&mut self, opcode: u8) -> Result<(), PickleError> {
        match opcode {
            GLOBAL => {
                let module = literal::line(&mut self.cursor)?;
                let name = literal::line(&mut self.cursor)?;
                self.push_new(Value::of_global(module, name))
            }
            STACK_GLOBAL => {
                let name = self.pop()?;
                let module = self.pop()?;
                let (Some(module), Some(name)) = (self.values.text(module), self.values.text(name)) else {
                    return Err(PickleError::Malformed("the name of a class or function is not a string"));
                };
                self.push_new(Value::of_global(module, name))
            }
            BINPERSID => {
                let id = self.pop()?;
                let object = self.values.persistent(id)?;
                self.push(object)
            }
            REDUCE | NEWOBJ => {
                let arguments = self.pop()?;
                let callable = self.pop()?;
                let object = self.values.call(callable, arguments)?;
                self.push(object)
            }
            NEWOBJ_EX => {
                // Keyword arguments: nothing that is understood has any.
                self.pop()?;
                let arguments = self.pop()?;
                let class = self.pop()?;
                let object = self.values.call(class, arguments)?;
                self.push(object)
            }
            OBJ => {
                let mut items = self.pop_to_mark()?.into_iter();
                let class = items.next().ok_or(PickleError::Malformed("an object has no class"))?;
                let arguments = self.values.add(Value::Tuple(items.collect()))?;
                let object = self.values.call(class, arguments)?;
                self.push(object)
            }
            BUILD => {
                self.pop()?;
                let object = self.top()?;
                self.values.set_state(object)
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

    fn push_new(&mut self, value: Value<'a>) -> Result<(), PickleError> {
        let id = self.values.add(value)?;
        self.push(id)
    }

    fn push_tuple(&mut self, length: usize) -> Result<(), PickleError> {
        let start = self.stack.len().checked_sub(length).filter(|&start| start >= self.floor());
        let start = start.ok_or(EMPTY_STACK)?;
        let items = self.pop_from(start);
        self.push_new(Value::Tuple(items))
    }

    /// The height below which the stack belongs to what is outside the innermost mark.
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

    /// Takes everything from a height on off the stack. `Vec::split_off` may hand over the stack's whole capacity, with
    /// which many small tuples would be many large ones.
    fn pop_from(&mut self, start: usize) -> Vec<Id> {
        let items = self.stack[start..].to_vec();
        self.stack.truncate(start);
        items
    }

    fn recall(&mut self, key: Option<u32>) -> Result<(), PickleError> {
        let key = key.ok_or(PickleError::Truncated)?;
        let id = *self.memo.get(&key).ok_or(PickleError::Malformed("the memo has no such value"))?;
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
