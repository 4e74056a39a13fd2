//! All shapes, by class: there are few classes, so a window over a journal finds those of its entries in
//! the processor's cache, however many merchants there are.

use super::names::Name;
use super::numbers::Numbers;
use super::shape::{Place, Shape, ShapeClass, ShapeId};
use super::table::Table;
use foldhash::fast::RandomState;
use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::{Mutex, OnceLock, PoisonError};

/// What the shapes of a class differ in.
#[derive(Debug)]
struct Rest {
    party: Option<Name>,
    channel: Option<Name>,
    means: Option<Name>,
}

#[derive(Debug)]
struct Class {
    class: ShapeClass,
    shapes: Box<Table<Rest>>,
}

/// Classes that stand together.
const TOGETHER: usize = 64;
const CHUNKS: usize = ShapeId::CLASSES_MAX as usize / TOGETHER;

/// Classes by their numbers. They are looked up for every entry of a window, so each is found by two
/// steps of known length, and not as in a [`Table`].
#[derive(Debug)]
struct Classes(Box<[OnceLock<Chunk>; CHUNKS]>);

type Chunk = Box<[OnceLock<Class>; TOGETHER]>;

impl Default for Classes {
    fn default() -> Self {
        Self(Box::new([const { OnceLock::new() }; CHUNKS]))
    }
}

impl Classes {
    fn get(&self, number: u32) -> &Class {
        let number = number as usize;
        let chunk = self.0[number / TOGETHER % CHUNKS].get();
        chunk
            .and_then(|classes| classes[number % TOGETHER].get())
            .expect("invariant: nobody has the number of a class before it is set")
    }

    fn set(&self, number: u32, class: Class) {
        let number = number as usize;
        let chunk = self.0[number / TOGETHER % CHUNKS]
            .get_or_init(|| Box::new([const { OnceLock::new() }; TOGETHER]));
        // Refused only if it was set, and then it stays.
        let _ = chunk[number % TOGETHER].set(class);
    }
}

/// Where the next shape goes.
#[derive(Debug, Default)]
struct Next {
    /// The number under which a class takes more shapes, and how many it took.
    open: HashMap<ShapeClass, (u32, u32), RandomState>,
    classes: u32,
    mixed: u32,
}

/// Shapes and their ids. Grows only; an id is resolved without a lock.
#[derive(Debug)]
pub(super) struct Shapes {
    hasher: RandomState,
    ids: Numbers,
    classes: Classes,
    /// Those for which no class was left.
    mixed: Table<Shape>,
    /// Whoever holds it may add.
    next: Mutex<Next>,
    classes_max: u32,
    indexes_max: u32,
}

impl Default for Shapes {
    fn default() -> Self {
        Self::with_limits(ShapeId::CLASSES_MAX, ShapeId::INDEXES_MAX)
    }
}

impl Shapes {
    fn with_limits(classes_max: u32, indexes_max: u32) -> Self {
        Self {
            hasher: RandomState::default(),
            ids: Numbers::default(),
            classes: Classes::default(),
            mixed: Table::default(),
            next: Mutex::default(),
            classes_max,
            indexes_max,
        }
    }

    /// The id of a shape, new or known.
    pub(super) fn intern(&self, shape: Shape) -> ShapeId {
        let hash = self.hasher.hash_one(shape);
        if let Some(id) = self.find(hash, &shape) {
            return id;
        }
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = self.find(hash, &shape) {
            return id;
        }
        // Before its id can be found, so that whoever has an id can resolve it.
        let id = ShapeId::new(self.put(&mut next, shape));
        let hash_of = |bits| self.hasher.hash_one(self.shape(ShapeId::from_bits(bits)));
        self.ids.add(hash, id.bits(), hash_of);
        id
    }

    fn find(&self, hash: u64, shape: &Shape) -> Option<ShapeId> {
        let is = |bits| self.shape(ShapeId::from_bits(bits)) == *shape;
        self.ids.find(hash, is).map(ShapeId::from_bits)
    }

    fn put(&self, next: &mut Next, shape: Shape) -> Place {
        let class = shape.class();
        let open = next.open.get(&class).copied();
        let open = open.filter(|(_, taken)| *taken < self.indexes_max);
        let (number, index) = match open {
            Some(open) => open,
            None if next.classes < self.classes_max => {
                let shapes = Box::default();
                self.classes.set(next.classes, Class { class, shapes });
                next.classes += 1;
                (next.classes - 1, 0)
            }
            None => {
                let index = next.mixed;
                self.mixed.set(index, shape);
                let more = index.checked_add(1);
                next.mixed = more.expect("invariant: fewer than 2^32 shapes fit into memory");
                return Place::Mixed(index);
            }
        };
        next.open.insert(class, (number, index + 1));
        let rest = Rest {
            party: shape.party,
            channel: shape.channel,
            means: shape.means,
        };
        self.classes.get(number).shapes.set(index, rest);
        Place::Class {
            class: number,
            index,
        }
    }

    /// What most windows ask of a shape.
    pub(super) fn class(&self, id: ShapeId) -> ShapeClass {
        match id.place() {
            Place::Class { class, .. } => self.classes.get(class).class,
            Place::Mixed(index) => self.mixed.get(index).class(),
        }
    }

    /// The shape of an id.
    pub(super) fn shape(&self, id: ShapeId) -> Shape {
        let (class, index) = match id.place() {
            Place::Class { class, index } => (self.classes.get(class), index),
            Place::Mixed(index) => return *self.mixed.get(index),
        };
        let rest = class.shapes.get(index);
        Shape {
            kind: class.class.kind,
            category: class.class.category,
            party: rest.party,
            channel: rest.channel,
            means: rest.means,
            phase: class.class.phase,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.ids.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Names;

    #[test]
    fn shapes_are_told_apart_also_when_classes_are_full_and_none_is_left() {
        let names = Names::default();
        let words: Vec<Name> = (0..40).map(|n| names.intern(&n.to_string())).collect();
        let shapes = Shapes::with_limits(7, 3);
        let all: Vec<Shape> = (0..200)
            .map(|n: usize| Shape {
                category: (n % 5 != 4).then_some(words[n % 5]),
                party: Some(words[n / 5]),
                ..Shape::of_kind(words[0])
            })
            .collect();
        let ids: Vec<ShapeId> = all.iter().map(|shape| shapes.intern(*shape)).collect();
        assert_eq!(shapes.len(), all.len());
        let mixed = ids
            .iter()
            .filter(|id| matches!(id.place(), Place::Mixed(_)));
        assert_eq!(mixed.count(), 200 - 7 * 3);
        for (shape, id) in all.iter().zip(ids) {
            assert_eq!(shapes.intern(*shape), id);
            assert_eq!(shapes.shape(id), *shape);
            assert_eq!(shapes.class(id), shape.class());
            assert_eq!(ShapeId::from_bits(id.bits() | 1 << 63 | 1 << 38), id);
        }
    }

    #[test]
    fn an_id_tells_its_place_to_the_last_bit() {
        let last = Place::Class {
            class: ShapeId::CLASSES_MAX - 1,
            index: ShapeId::INDEXES_MAX - 1,
        };
        for place in [last, Place::Mixed(0), Place::Mixed(u32::MAX)] {
            let id = ShapeId::new(place);
            assert_eq!(ShapeId::from_bits(id.bits()).place(), place);
        }
    }
}
