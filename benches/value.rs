//! What a value costs beside the ring: tokens, trees, and the way through a ring of one process.

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ringmail::value::wire::{ArrayHeader, DTypeRef, Encoder, Order, Reader};
use ringmail::value::{Array, Value};
use ringmail::{Options, spsc};
use std::hint::black_box;

/// `{"a": 1, "b": 2.0, "c": True, "d": "text"}`.
fn put_scalars(encoder: &mut Encoder) {
    encoder.begin_dict(4);
    encoder.put_str("a");
    encoder.put_i64(black_box(1));
    encoder.put_str("b");
    encoder.put_f64(black_box(2.0));
    encoder.put_str("c");
    encoder.put_bool(black_box(true));
    encoder.put_str("d");
    encoder.put_str(black_box("text"));
}

fn scalars() -> Value<'static> {
    Value::dict([("a", Value::from(1)), ("b", 2.0.into()), ("c", true.into()), ("d", "text".into())])
}

fn tokens(c: &mut Criterion) {
    let mut group = c.benchmark_group("value/dict of four scalars");
    let mut encoder = Encoder::new();
    group.bench_function("encoder", |b| {
        b.iter(|| {
            encoder.clear();
            put_scalars(&mut encoder);
            black_box(encoder.layout().unwrap().as_bytes());
        });
    });
    let message = scalars().encode().unwrap();
    group.bench_function("reader", |b| {
        b.iter(|| {
            let mut reader = Reader::new(black_box(&message)).unwrap();
            let mut events = 0;
            while let Some(event) = reader.event().unwrap() {
                black_box(event);
                events += 1;
            }
            events
        });
    });
    group.bench_function("decode", |b| b.iter(|| Value::decode(black_box(&message)).unwrap()));
    let (mut tx, mut rx) = spsc::channel::<[u8]>(&Options::new()).unwrap();
    let value = scalars();
    group.bench_function("send_value and recv", |b| {
        b.iter(|| {
            tx.send_value(black_box(&value)).unwrap();
            black_box(&rx.recv().unwrap()[..]);
        });
    });
    group.bench_function("send and recv of as many bytes", |b| {
        b.iter(|| {
            tx.send(black_box(&message)).unwrap();
            black_box(&rx.recv().unwrap()[..]);
        });
    });
    group.finish();
}

fn arrays(c: &mut Criterion) {
    let mut group = c.benchmark_group("value/dict of an array and a float");
    for len in [16, 84 * 84 * 4, 1920 * 1080 * 3] {
        let pixels = vec![7_u8; len];
        let array = Array::new(&[len], &pixels).unwrap();
        let value = Value::dict([("obs", Value::from(array)), ("reward", 1.0.into())]);
        let (mut tx, mut rx) = spsc::channel::<[u8]>(&Options::new().capacity(4).max_len(16 << 20)).unwrap();
        let mut encoder = Encoder::new();
        group.throughput(Throughput::Bytes(len as u64));
        group.bench_function(BenchmarkId::new("encoder, loan, recv, reader", len), |b| {
            b.iter(|| {
                encoder.clear();
                encoder.begin_dict(2);
                encoder.put_str("obs");
                let header =
                    ArrayHeader { dtype: DTypeRef::Simple("|u1"), shape: &[len], order: Order::C, writable: true };
                encoder.put_array(&header);
                encoder.put_str("reward");
                encoder.put_f64(1.0);
                let layout = encoder.layout().unwrap();
                let mut loan = tx.loan(layout.len()).unwrap();
                layout.write_into(&mut loan, |_, place| place.copy_from_slice(&pixels));
                loan.commit().unwrap();
                let message = rx.recv().unwrap();
                let mut reader = Reader::new(&message).unwrap();
                while let Some(event) = reader.event().unwrap() {
                    black_box(event);
                }
            });
        });
        group.bench_function(BenchmarkId::new("send_value, recv, value", len), |b| {
            b.iter(|| {
                tx.send_value(black_box(&value)).unwrap();
                let message = rx.recv().unwrap();
                black_box(message.value().unwrap().get("obs").unwrap());
            });
        });
        group.bench_function(BenchmarkId::new("send and recv of as many bytes", len), |b| {
            b.iter(|| {
                tx.send(black_box(&pixels)).unwrap();
                black_box(&rx.recv().unwrap()[..]);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, tokens, arrays);
criterion_main!(benches);
