//! The other end of examples/from_rust.py: a scanner that sends clouds of points and is told where the middle of each is.
//!
//! It knows the middle itself, and fails when it is told another.

use ringmail::mpmc::{Ring, Sender};
use ringmail::value::{Array, Value};
use std::error::Error;
use std::thread;

const POINTS: usize = 100_000;

/// Sends `count` scans and reads as many answers, in any order.
pub fn run(scans: &str, answers: &str, count: usize) -> Result<(), Box<dyn Error>> {
    let scans = Ring::<[u8]>::open(scans)?;
    let sender = scans.sender()?;
    let answers = Ring::<[u8]>::open(answers)?.receiver()?;
    thread::scope(|scope| {
        let sending = scope.spawn(move || (0..count).try_for_each(|number| send(&sender, number)));
        let checked = (0..count).try_for_each(|_| check(&answers.recv()?.value()?));
        if checked.is_err() {
            // Else the other thread, and Python, would wait for each other.
            scans.close();
        }
        checked?;
        sending.join().map_err(|_| "the sending thread panicked")??;
        Ok(())
    })
}

fn send(sender: &Sender<[u8]>, number: usize) -> Result<(), String> {
    let points = cloud(number);
    let points = Array::new(&[POINTS, 3], &points).map_err(|error| error.to_string())?;
    let scan = Value::dict([("scan", Value::from(number)), ("points", points.into())]);
    sender.send_value(&scan).map_err(|error| error.to_string())
}

/// The points of a scan, as x, y and z: a helix about (number, -number, number / 2).
fn cloud(number: usize) -> Vec<f32> {
    let middle = number as f32;
    let point = |step: usize| {
        let (sin, cos) = (step as f32 * std::f32::consts::TAU / 1000.0).sin_cos();
        let height = step as f32 / POINTS as f32 - 0.5;
        [middle + cos, -middle + sin, middle / 2.0 + height]
    };
    (0..POINTS).flat_map(point).collect()
}

fn check(answer: &Value<'_>) -> Result<(), Box<dyn Error>> {
    let number = answer.get("scan").and_then(Value::as_i64).ok_or("an answer without its scan")? as f64;
    let middle = answer.get("middle").and_then(Value::as_array).ok_or("an answer without a middle")?;
    let close =
        middle.as_slice::<f64>()?.iter().zip([number, -number, number / 2.0]).all(|(a, b)| (a - b).abs() < 1e-3);
    if close { Ok(()) } else { Err(format!("scan {number}: the middle is not at {middle:?}").into()) }
}
