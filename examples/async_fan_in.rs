//! Many rings and one thread: a future for each ring, on an executor of twenty lines. Any other will do as well.
//!
//! ```sh
//! cargo run --release --example async_fan_in
//! ```
//!
//! Eight sensors, each a process with a ring of its own, send readings whenever they have one; one of them dies in
//! the middle. The sensors are this program once more; they find their rings by name. While nothing comes, nobody
//! looks: one thread sleeps for all eight.

use ringmail::{Options, spsc};
use std::future::Future;
use std::pin::Pin;
use std::process::{Command, ExitCode, abort, id};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;
const SENSORS: u64 = 8;

/// Sends readings, now and then. Sensor 5 dies after ten.
fn measure(name: &str, sensor: u64, readings: u64) -> Result<()> {
    let mut tx = spsc::Ring::<f64>::open(name)?.sender()?;
    for number in 0..readings {
        thread::sleep(Duration::from_micros(100 * (1 + (number + sensor) % 7)));
        tx.send(&(20.0 + sensor as f64 + (number % 2) as f64))?;
        if (sensor, number) == (5, 9) {
            abort();
        }
    }
    Ok(())
}

/// What a sensor sent until it left, or died: how many readings, and their mean.
async fn listen(mut rx: spsc::Receiver<f64>) -> (u64, f64) {
    let (mut count, mut sum) = (0, 0.0);
    while let Ok(reading) = rx.recv_async().await {
        (count, sum) = (count + 1, sum + *reading);
    }
    (count, sum / count as f64)
}

/// What wakes a future: its number goes to the thread that polls it.
struct Bell(usize, mpsc::Sender<usize>);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        let _ = self.1.send(self.0);
    }
}

/// Runs futures on this thread until all are done; polls whoever is woken.
fn run<T>(mut futures: Vec<Pin<Box<dyn Future<Output = T>>>>) -> Vec<T> {
    let (bell, woken) = mpsc::channel();
    let mut done: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    (0..futures.len()).for_each(|number| bell.send(number).unwrap());
    while done.iter().any(Option::is_none) {
        let number = woken.recv().unwrap();
        let waker = Waker::from(Arc::new(Bell(number, bell.clone())));
        if done[number].is_none()
            && let Poll::Ready(value) = futures[number].as_mut().poll(&mut Context::from_waker(&waker))
        {
            done[number] = Some(value);
        }
    }
    done.into_iter().flatten().collect()
}

/// Starts the sensors and listens to all of them.
fn fan_in(readings: u64) -> Result<()> {
    let mut sensors = Vec::new();
    let mut futures: Vec<Pin<Box<dyn Future<Output = _>>>> = Vec::new();
    for sensor in 0..SENSORS {
        let name = format!("async_fan_in.{}.{sensor}", id());
        let rx = spsc::Ring::create(&name, &Options::new().capacity(16))?.receiver()?;
        let args = [name, sensor.to_string(), readings.to_string()];
        sensors.push(Command::new(std::env::current_exe()?).args(args).spawn()?);
        futures.push(Box::pin(listen(rx)));
    }
    for (sensor, (count, mean)) in run(futures).into_iter().enumerate() {
        println!("sensor {sensor}: {count} readings, {mean} degrees on average");
    }
    sensors.iter_mut().try_for_each(|sensor| sensor.wait().map(drop))?;
    Ok(())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => fan_in(1000),
        [name, sensor, readings] => measure(name, sensor.parse().unwrap_or(0), readings.parse().unwrap_or(0)),
        _ => Err("allowed is nothing".into()),
    };
    done.inspect_err(|error| eprintln!("async_fan_in: {error}")).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}
