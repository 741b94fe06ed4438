//! Values that chance makes: nested, shared and cyclic.

use super::round_trip;
use ringmail::value::{Array, BigInt, DType, Data, Dict, Field, NamedTuple, Order, Pickle, Scalar, Value, View};

/// xorshift64*: the same values in every run.
pub struct Chance(u64);

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 32) as usize % bound
    }

    fn bytes(&mut self) -> Vec<u8> {
        let len = match self.below(10) {
            0 => self.below(5000),
            1..4 => self.below(70),
            _ => self.below(8),
        };
        (0..len).map(|_| self.next() as u8).collect()
    }

    fn text(&mut self) -> String {
        self.bytes().into_iter().map(|byte| char::from_u32(u32::from(byte) * 37).unwrap_or('x')).collect()
    }

    fn dtype(&mut self, depth: usize) -> DType {
        const SIMPLE: [&str; 16] = [
            "|b1", "|i1", "<i2", ">u4", "<i8", "<f2", "<f4", ">f8", "<c8", "|S3", "|S0", "<U2", "|V7", "<M8[ns]",
            ">m8", "<f16",
        ];
        match self.below(8) {
            0 if depth > 0 => {
                let shape = (0..self.below(3)).map(|_| self.below(4)).collect();
                DType::SubArray { base: Box::new(self.dtype(depth - 1)), shape }
            }
            1 if depth > 0 => {
                let (mut size, mut fields) = (0, vec![]);
                for name in 0..self.below(4) {
                    let dtype = self.dtype(depth - 1);
                    let offset = size + self.below(3);
                    size = offset + dtype.size();
                    let title = (self.below(3) == 0).then(|| self.text());
                    fields.push(Field { title, ..Field::new(format!("f{name}"), offset, dtype) });
                }
                DType::Record { fields, size: size + self.below(3), align: self.below(2) == 0 }
            }
            _ => DType::simple(SIMPLE[self.below(SIMPLE.len())]).unwrap(),
        }
    }

    fn data(&mut self, len: usize) -> Data<'static> {
        (0..len).map(|_| self.next() as u8).collect::<Vec<_>>().into()
    }

    fn order(&mut self) -> Order {
        if self.below(2) == 0 { Order::C } else { Order::Fortran }
    }

    fn array(&mut self) -> Array<'static> {
        let shape: Vec<_> = (0..self.below(4)).map(|_| self.below(5)).collect();
        let dtype = self.dtype(2);
        let data = self.data(shape.iter().product::<usize>() * dtype.size());
        let array = Array::from_data(dtype, &shape, data).unwrap();
        array.with_order(self.order()).with_writable(self.below(2) == 0)
    }

    /// A value of at most about `budget` parts, `depth` levels down.
    pub fn value(&mut self, budget: &mut usize, depth: usize, made: &mut Vec<Value<'static>>) -> Value<'static> {
        *budget = budget.saturating_sub(1);
        let kind = match (depth, *budget) {
            (0, _) => 23 + self.below(9),
            (_, 0) => self.below(20),
            _ => self.below(32),
        };
        let value = match kind {
            0 => Value::Nil,
            1 => (self.below(2) == 0).into(),
            2 => (self.next() as i64 >> self.below(64)).into(),
            3 => self.next().into(),
            4 => BigInt::from_le_bytes(&self.bytes()).into(),
            5 => f64::from_bits(self.next()).into(),
            6 => Value::Complex { re: f64::from_bits(self.next()), im: self.below(9) as f64 },
            7..10 => self.text().into(),
            10 => Value::Surrogates(self.bytes().into()),
            11 => Data::from(self.bytes()).into(),
            12 => Value::bytearray(self.bytes()),
            13 | 14 => self.array().into(),
            15 => {
                let (item, len) = (self.below(4), self.below(30));
                let view = View::new(&self.text(), item, &[len], self.data(item * len)).unwrap();
                view.with_order(self.order()).with_writable(self.below(2) == 0).into()
            }
            16 => {
                let dtype = self.dtype(2);
                let data = self.data(dtype.size());
                Scalar::from_data(dtype, data).unwrap().into()
            }
            17 => self.dtype(3).into(),
            18 if depth > 0 => Value::Up(1 + self.below(depth)),
            // The very same object once more.
            18..22 if !made.is_empty() => made[self.below(made.len())].clone(),
            18..23 => {
                let mut pickle = Pickle::new(self.bytes());
                for _ in 0..self.below(3) {
                    pickle = pickle.with_buffer(self.bytes(), self.below(2) == 0);
                }
                Value::Pickle(pickle)
            }
            kind => {
                let mut item = |chance: &mut Self| chance.value(budget, depth + 1, made);
                match kind {
                    23 => Value::tuple((0..self.below(5)).map(|_| item(self))),
                    24 => Value::set((0..self.below(5)).map(|_| item(self))),
                    25 => Value::frozenset((0..self.below(5)).map(|_| item(self))),
                    26 => {
                        let fields: Vec<_> =
                            (0..self.below(4)).map(|field| (format!("f{field}"), item(self))).collect();
                        NamedTuple::new(["m:A", "m:B", "n.o:C.D"][self.below(3)], fields).into()
                    }
                    27..30 => Value::list((0..self.below(6)).map(|_| item(self))),
                    _ => {
                        let len = self.below(6);
                        let pairs: Dict<'static> = (0..len).map(|_| (self.text(), item(self))).collect();
                        pairs.into()
                    }
                }
            }
        };
        // A container with a way up in it is the same container elsewhere; a way up alone would be another one.
        if !matches!(value, Value::Up(_)) {
            made.push(value.clone());
        }
        value
    }
}

#[test]
fn any_value_comes_back() {
    let (mut refs, mut pickles, mut payloads, mut longest) = (0, 0, 0, 0);
    for seed in 0..3000 {
        let value = Chance::new(seed).value(&mut 60, 0, &mut vec![]);
        let message = round_trip(&value);
        refs += usize::from(message[2] & 1);
        pickles += usize::from(message[2] & 2 > 0);
        payloads += usize::from(message[4] > 0);
        longest = longest.max(message.len());
    }
    // Chance did make everything.
    assert!(refs > 300 && pickles > 300 && payloads > 500 && longest > 10_000, "{refs} {pickles} {payloads} {longest}");
}
